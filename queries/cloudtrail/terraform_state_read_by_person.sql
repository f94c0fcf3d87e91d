-- title           = "Terraform's state was read by something else than Terraform"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.credential_access", "attack.discovery", "attack.t1552.001", "attack.t1530"]
-- remedy          = "Ask who read it. The state has passwords and keys in plain text: rotate what is in it, revoke the sessions of the principal, and let only the pipeline's role read the bucket."
-- false_positives = "An administrator who mends a state by hand."
-- description     = "A command line, a browser of buckets or Python, of a person or with a program's credentials. It needs data events of the bucket."
SELECT eventTime,
       requestParameters ->> 'bucketName' AS bucket,
       requestParameters ->> 'key' AS state,
       sourceIPAddress,
       userAgent,
       concat('arn:aws:s3:::', requestParameters ->> 'bucketName', '/', requestParameters ->> 'key') AS resource,
       CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'GetObject'
  AND requestParameters LIKE '%.tfstate%' -- equivalent: the next condition finds it, later
  AND regexp_like(requestParameters ->> 'key', '\.tfstate(\.backup)?$')
  AND regexp_like(userAgent, '(?i)aws-cli|AWSPowerShell|^\[?(boto3|python|curl|wget)|mozilla|s3 ?browser|cyberduck|winscp|rclone|s3cmd|s5cmd|pacu')
  AND NOT is_infrastructure_tool()
  AND (is_by_hand()
    OR is_by_hand_or_script() AND userAgent NOT LIKE '%aws-cli%' AND userAgent NOT LIKE 'AWSPowerShell%'
    OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
