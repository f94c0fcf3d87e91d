-- title           = "Many EC2 instances were launched by one call"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1496", "attack.t1496.001"]
-- remedy          = "Ask who needs them; if nobody does, terminate them and look for the same in other Regions."
-- false_positives = "Load tests; batch clusters, which EMR or Batch launch (low)."
SELECT eventTime,
       json_get_int(requestParameters, 'instancesSet', 'items', 0, 'maxCount') AS count,
       requestParameters ->> 'instanceType' AS instance_type,
       sourceIPAddress,
       userAgent,
       coalesce(json_get_str(responseElements, 'instancesSet', 'items', 0, 'instanceId'), account) AS resource,
       CASE WHEN json_get_int(requestParameters, 'instancesSet', 'items', 0, 'maxCount') >= 50 AND userIdentity.invokedBy IS NULL THEN 'medium'
            WHEN is_by_hand()
                 AND userIdentity.invokedBy IS NULL THEN 'medium'
            ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'RunInstances'
  AND errorCode IS NULL
  AND json_get_int(requestParameters, 'instancesSet', 'items', 0, 'maxCount') >= 20
