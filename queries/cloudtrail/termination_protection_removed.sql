-- title           = "Termination or stop protection of an EC2 instance was removed"
-- severity        = "low"
-- tags            = ["attack.impact", "attack.t1485"]
-- remedy          = "Turn it on again if the instance is to stay; look for TerminateInstances by the same principal."
-- false_positives = "Planned removals."
SELECT eventTime,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'instanceId' AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'ModifyInstanceAttribute'
  AND errorCode IS NULL
  AND (requestParameters -> 'disableApiTermination' ->> 'value' = 'false'
       OR requestParameters -> 'disableApiStop' ->> 'value' = 'false'
       OR (requestParameters ->> 'attribute' = 'disableApiTermination' AND requestParameters ->> 'value' = 'false'))
