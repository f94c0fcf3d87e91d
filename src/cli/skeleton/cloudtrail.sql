-- title    = "An access key was made"
-- severity = "low"
-- tags     = ["attack.persistence", "attack.t1098.001"]
-- remedy   = "Ask the owner whether they made it; delete it if nobody did."
SELECT eventTime, sourceIPAddress, userAgent,
       -- what was touched, when it is not the first ARN of `resources`
       requestParameters ->> 'userName' AS resource
FROM cloudtrail
-- source and name first: the rule costs nothing where they do not hold
WHERE eventSource = 'iam.amazonaws.com'
  AND eventName = 'CreateAccessKey'
  -- a call that failed has a code; one that succeeded has none
  AND errorCode IS NULL
