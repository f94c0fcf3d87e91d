-- title           = "Bucket policy was written that keeps AWS from delivering logs"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.008"]
-- remedy          = "Put the earlier policy back, and look at the delivery errors of the trail (GetTrailStatus)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'bucketPolicy' AS policy,
       sourceIPAddress,
       userAgent,
       'arn:aws:s3:::' || (requestParameters ->> 'bucketName') AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketPolicy'
  AND array_any_match(
          coalesce(json_get_array(requestParameters ->> 'bucketPolicy', 'Statement'),
                   make_array(json_get_json(requestParameters ->> 'bucketPolicy', 'Statement'))),
          s -> s ->> 'Effect' = 'Deny'
               AND (regexp_like(s ->> 'Principal', '"(cloudtrail|config|delivery\.logs|vpc-flow-logs|guardduty|logging\.s3)\.amazonaws\.com"')
                    -- everybody is they too
                    OR regexp_like(requestParameters ->> 'bucketName', '(?i)cloud-?trail|controltower-logs')
                       AND regexp_like(s ->> 'Principal', '^[*]$|"(AWS|Service|[*])"\s*:\s*(\[\s*)?"[*]"')
                       AND (regexp_like(s ->> 'Action', '(^|")(s3:)?([*]|Put[*]|PutObject[*]?)("|$)')
                            OR json_contains(s, 'NotAction') AND NOT regexp_like(s ->> 'NotAction', '(^|")(s3:)?([*]|Put[*]|PutObject[*]?)("|$)'))
                       AND regexp_like(coalesce(s ->> 'Condition', ''), '^([{]\s*[}])?$'))
               AND NOT regexp_like(coalesce(s ->> 'Condition', ''), '(?i)SecureTransport|aws:Source|s3:x-amz'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
