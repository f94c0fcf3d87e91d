-- title           = "Person made a schedule or rule that starts something by itself"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.t1546", "attack.t1053", "attack.privilege_escalation"]
-- remedy          = "Read what it starts and with which role; delete it if nobody claims it."
-- false_positives = "Developers who set up a trigger by hand."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'targets', requestParameters ->> 'target') AS targets,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'rule', requestParameters ->> 'name') AS resource,
       CASE WHEN regexp_like(replace(requestParameters ->> 'targets', account, ''), ':[0-9]{12}:event-bus/') THEN 'Person sent events to another account'
            ELSE 'Person made a schedule or rule that starts something by itself' END AS title,
       -- schedule_changes_rights and stream_connected_to_other_account tell it
       CASE WHEN regexp_like(requestParameters, ':aws-sdk:(iam|organizations|cloudtrail|guardduty|kms|secretsmanager|sso|config):')
                 OR eventSource IN ('events.amazonaws.com', 'pipes.amazonaws.com')
                    AND regexp_like(replace(requestParameters, account, ''), '"(arn|target|source)"\s*:\s*"arn:[a-z-]+:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:') THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('events.amazonaws.com', 'scheduler.amazonaws.com', 'glue.amazonaws.com', 'pipes.amazonaws.com')
  AND eventName IN ('PutTargets', 'CreateSchedule', 'UpdateSchedule', 'CreateTrigger', 'UpdateTrigger', 'CreatePipe', 'UpdatePipe')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
