-- title    = "KMS key was granted to another account"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.persistence", "attack.t1537"]
-- remedy   = "Revoke the grant (RevokeGrant) if nobody knows the account or user; look for Decrypt calls by it."
SELECT eventTime,
       requestParameters ->> 'granteePrincipal' AS grantee,
       requestParameters ->> 'operations' AS operations,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'keyId') AS resource,
       CASE WHEN regexp_like(replace(requestParameters ->> 'granteePrincipal', account, ''), ':iam:::user/') THEN 'KMS key was granted to a user'
            ELSE 'KMS key was granted to another account' END AS title
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName = 'CreateGrant'
  AND errorCode IS NULL
  -- services and programs are granted keys as roles; who grants one to a user keeps it for that user, whatever policies say
  AND regexp_like(replace(requestParameters ->> 'granteePrincipal', account, ''), '::[0-9]{12}:|^[0-9]{12}$|:iam:::user/')
