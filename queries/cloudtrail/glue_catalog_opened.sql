-- title           = "Glue data catalog was opened to principals outside the account"
-- severity        = "high"
-- confidence      = "high"
-- tags            = ["attack.exfiltration", "attack.t1537", "attack.collection", "attack.t1213"]
-- remedy          = "Restore the former resource policy (glue:PutResourcePolicy), then list who read the catalog and its tables since."
-- false_positives = "A data mesh that shares its catalog with known accounts."
SELECT 'arn:aws:glue:' || awsRegion || ':' || recipientAccountId || ':catalog' AS resource,
       requestParameters ->> 'policyInJson' AS policy,
       CASE WHEN requestParameters ->> 'policyInJson' LIKE '%aws:PrincipalOrg%' THEN 'medium' ELSE 'high' END AS severity
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'PutResourcePolicy'
  AND errorCode IS NULL
  AND requestParameters ->> 'policyInJson' LIKE '%"Allow"%'
  AND (regexp_like(requestParameters ->> 'policyInJson', '"Principal"\s*:\s*(\{\s*"AWS"\s*:\s*)?\[?\s*"\*"')
    OR regexp_like(replace(requestParameters ->> 'policyInJson', recipientAccountId, ''), '"[0-9]{12}"|:(iam|sts)::[0-9]{12}:'))
