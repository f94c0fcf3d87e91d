-- title           = "User data of an EC2 instance was downloaded"
-- severity        = "low"
-- tags            = ["attack.discovery", "attack.t1580", "attack.credential_access", "attack.t1552.005"]
-- remedy          = "Look at the finding's count: many instances in a row is a search for secrets. Rotate what the user data holds, and move it to Secrets Manager."
-- false_positives = "Terraform on a laptop and the console read user data of the instances they show."
SELECT eventTime,
       requestParameters ->> 'instanceId' AS instance,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'instanceId' AS resource,
       CASE WHEN errorCode IS NULL THEN 'User data of an EC2 instance was downloaded'
            ELSE 'Somebody tried to download the user data of an EC2 instance' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'DescribeInstanceAttribute'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND requestParameters ->> 'attribute' = 'userData'
  -- what Terraform reads of its instances at every run, with the right to, is no search
  AND (errorCode IS NOT NULL
       OR is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
