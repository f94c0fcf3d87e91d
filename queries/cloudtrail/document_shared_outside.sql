-- title    = "Systems Manager document was shared outside the account"
-- severity = "medium"
-- tags     = ["attack.exfiltration", "attack.t1537"]
-- remedy   = "Take the accounts off again (ModifyDocumentPermission with accountIdsToRemove) and rotate any secret the document holds."
SELECT eventTime,
       requestParameters ->> 'accountIdsToAdd' AS shared_with,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource,
       CASE WHEN regexp_like(requestParameters ->> 'accountIdsToAdd', '(?i)^all$|"all"') THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName = 'ModifyDocumentPermission'
  AND errorCode IS NULL
  AND (regexp_like(requestParameters ->> 'accountIdsToAdd', '(?i)^all$|"all"')
       OR regexp_like(without_own(requestParameters ->> 'accountIdsToAdd', account), '[0-9]{12}'))
