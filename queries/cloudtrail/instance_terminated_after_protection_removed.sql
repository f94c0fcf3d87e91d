-- title           = "EC2 instance was terminated by whoever had removed its protection within the hour"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485", "attack.defense_evasion", "attack.t1578.003"]
-- remedy          = "Ask the principal. If it was not meant: revoke its sessions at once, and keep the snapshots and volumes that remain; restore from a backup."
-- false_positives = "Planned removals; a stack that is taken down by the tool that made it (low)."
SELECT eventTime,
       removed AS protections_removed,
       protected AS some_of_them,
       sourceIPAddress,
       userAgent,
       json_get_str(requestParameters, 'instancesSet', 'items', 0, 'instanceId') AS resource,
       CASE WHEN is_infrastructure_tool() THEN 'low' ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT requestParameters ->> 'instanceId') OVER before AS removed,
             sample(requestParameters ->> 'instanceId') OVER before AS protected
      FROM cloudtrail
      WHERE eventSource = 'ec2.amazonaws.com'
        AND (eventName = 'TerminateInstances'
             OR eventName = 'ModifyInstanceAttribute'
                AND (requestParameters -> 'disableApiTermination' ->> 'value' = 'false'
                     OR requestParameters ->> 'attribute' = 'disableApiTermination'
                        AND requestParameters ->> 'value' = 'false'))
        AND errorCode IS NULL
        AND userIdentity.invokedBy IS NULL
      WINDOW before AS (PARTITION BY account, userIdentity.arn ORDER BY eventTime
                        RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND CURRENT ROW))
WHERE eventName = 'TerminateInstances'
  AND removed >= 1
