-- title    = "Whole account lost its S3 public access block"
-- severity = "high"
-- tags     = ["attack.defense_evasion", "attack.t1562.001", "cis.2.1.4"]
-- remedy   = "Put all four settings back to true (PutAccountAccessBlock), then look for policies and ACLs that became effective in between."
SELECT eventTime,
       eventName,
       errorCode,
       requestParameters ->> 'PublicAccessBlockConfiguration' AS settings,
       sourceIPAddress,
       userAgent,
       account AS resource,
       CASE WHEN errorCode IS NULL THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Whole account lost its S3 public access block'
            ELSE 'Somebody tried to take the S3 public access block off an account' END AS title
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName IN ('PutAccountPublicAccessBlock', 'DeleteAccountPublicAccessBlock')
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND (eventName LIKE 'Delete%'
       OR regexp_like(requestParameters ->> 'PublicAccessBlockConfiguration', '"(BlockPublicAcls|IgnorePublicAcls|BlockPublicPolicy|RestrictPublicBuckets)"\s*:\s*"?false'))
