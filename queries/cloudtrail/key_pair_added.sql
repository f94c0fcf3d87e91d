-- title           = "EC2 key pair was imported or created"
-- severity        = "low"
-- tags            = ["attack.persistence", "attack.t1098.004"]
-- remedy          = "See which instances were launched with it; delete the key pair if nobody claims it."
-- false_positives = "Operators and Terraform."
SELECT eventTime,
       eventName,
       responseElements ->> 'keyFingerprint' AS fingerprint,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'keyName' AS resource,
       CASE WHEN is_by_hand()
                 AND sessionCredentialFromConsole IS NOT TRUE
                 AND userIdentity.invokedBy IS NULL
                 AND NOT is_infrastructure_tool() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('ImportKeyPair', 'CreateKeyPair')
  AND errorCode IS NULL
