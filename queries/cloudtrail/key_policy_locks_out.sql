-- title           = "KMS key policy was written past the check that its writer keeps access"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.impact", "attack.t1486", "attack.t1531"]
-- remedy          = "Read the policy: if it leaves out the account, only AWS Support gives the key back. Ask whoever it was, and copy what the key encrypts while it still decrypts."
-- false_positives = "Keys whose administrators are others than who makes them."
SELECT eventTime,
       eventName,
       requestParameters ->> 'policy' AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'keyId', responseElements -> 'keyMetadata' ->> 'arn', account) AS resource,
       CASE WHEN requestParameters ->> 'policy' NOT LIKE '%:root"%' AND is_person() AND eventName = 'PutKeyPolicy' THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName IN ('PutKeyPolicy', 'CreateKey')
  AND requestParameters ->> 'bypassPolicyLockoutSafetyCheck' = 'true'
  AND errorCode IS NULL
