-- title    = "KMS key's policy was rewritten so that the account itself no longer has the key"
-- severity = "medium"
-- tags     = ["attack.impact", "attack.t1486", "attack.t1531"]
-- remedy   = "Ask whom the policy names now to put the statement of the account's root back; if they will not, only AWS Support can. See what is encrypted with the key."
SELECT eventTime,
       eventName,
       requestParameters ->> 'policy' AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'keyId') AS resource
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName = 'PutKeyPolicy'
  AND requestParameters ->> 'policy' LIKE '%"Statement"%'
  AND NOT regexp_like(requestParameters ->> 'policy', ':root"|"AWS"\s*:\s*(\[[^\]]*)?"([0-9]{12}|[*])"|"Principal"\s*:\s*"[*]"')
  AND errorCode IS NULL
