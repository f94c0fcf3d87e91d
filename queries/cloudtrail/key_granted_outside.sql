-- title    = "KMS key was granted to another account"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.persistence", "attack.t1537"]
-- remedy   = "Revoke the grant (RevokeGrant) if nobody knows the account; look for Decrypt calls by it."
SELECT eventTime,
       requestParameters ->> 'granteePrincipal' AS grantee,
       requestParameters ->> 'operations' AS operations,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'keyId') AS resource
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName = 'CreateGrant'
  AND errorCode IS NULL
  AND regexp_like(replace(requestParameters ->> 'granteePrincipal', account, ''), '::[0-9]{12}:|^[0-9]{12}$')
