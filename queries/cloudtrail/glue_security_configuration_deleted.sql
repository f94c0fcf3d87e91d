-- title      = "Glue security configuration was deleted"
-- severity   = "medium"
-- confidence = "high"
-- tags       = ["attack.defense_evasion", "attack.t1562"]
-- remedy     = "Recreate it: jobs that name it fail, and jobs made without one write output, bookmarks and logs unencrypted."
SELECT requestParameters ->> 'name' AS resource, userAgent
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'DeleteSecurityConfiguration'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
