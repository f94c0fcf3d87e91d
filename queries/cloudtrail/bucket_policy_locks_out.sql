-- title           = "Bucket policy was written that shuts out everybody, or all but its writer"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.impact", "attack.t1531", "attack.t1486"]
-- remedy          = "Ask the owner of the bucket. If nobody can say: delete the policy as the account's root user, or by sts:AssumeRoot with S3UnlockBucketPolicy, whom no bucket policy keeps out, and contain the writer."
-- false_positives = "A vault of logs or backups that one role alone may enter, set up by hand as that role."
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
               -- all but one thing is nearly everything
               AND (json_contains(s, 'NotAction')
                    OR regexp_like(s ->> 'Action', '(?i)^(s3:)?[*]$|"(s3:)?[*]"'))
               AND (json_contains(s, 'NotPrincipal')
                    OR regexp_like(s ->> 'Principal', '^[*]$|"AWS"\s*:\s*(\[\s*)?"[*]"'))
               AND (regexp_like(coalesce(s ->> 'Condition', ''), '^([{]\s*[}])?$') AND NOT json_contains(s, 'NotPrincipal')
                    OR strpos(coalesce(s ->> 'NotPrincipal', s ->> 'Condition'), coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn)) > 0
                    -- by the unique id that aws:userId has
                    OR strpos(s ->> 'Condition', split_part(userIdentity.principalId, ':', 1)) > 0))
  AND is_by_hand_or_script()
  AND NOT is_infrastructure_tool()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
