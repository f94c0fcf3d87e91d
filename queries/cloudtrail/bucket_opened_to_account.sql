-- title           = "S3 bucket was opened to another account, or to whoever comes from the address of the caller"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.collection", "attack.t1537", "attack.t1530", "cis.4.8"]
-- remedy          = "Put the earlier policy back or turn on the bucket's public access block; then read the data events or access logs for who has read it."
-- false_positives = "Buckets shared within a company, and accounts of AWS other than those of load balancers, which are left out."
SELECT eventTime,
       eventName,
       requestParameters ->> 'bucketPolicy' AS policy,
       sourceIPAddress,
       userAgent,
       -- an office names its address beside the accounts that it lets in, too
       CASE WHEN regexp_like(without_own(requestParameters ->> 'bucketPolicy', account), '(::|")[0-9]{12}[:"]|"A(RO|ID)A[0-9A-Z]{12,}"|"CanonicalUser"') THEN 'S3 bucket was opened to another account'
            WHEN regexp_like(requestParameters ->> 'bucketPolicy', '"' || replace(sourceIPAddress, '.', '[.]') || '["/]') THEN 'S3 bucket was opened to whoever comes from the address of the caller'
            ELSE 'S3 bucket was opened to another account' END AS title,
       coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) AS resource
FROM cloudtrail
WHERE eventSource = 's3.amazonaws.com'
  AND eventName = 'PutBucketPolicy'
  AND errorCode IS NULL
  AND array_any_match(
        coalesce(json_get_array(without_own(requestParameters ->> 'bucketPolicy', account), 'Statement'),
                 make_array(json_get_json(without_own(requestParameters ->> 'bucketPolicy', account), 'Statement'))),
        -- less the accounts, one a Region, from which Elastic Load Balancing delivers access logs
        s -> s ->> 'Effect' = 'Allow'
             AND (regexp_like(regexp_replace(s ->> 'Principal', '127311923021|033677994240|027434742980|797873946194|098369216593|985666609251|054676820928|156460612806|652711504416|635631232127|009996457667|897822967062|754344448648|582318560864|600734575887|383597477331|114774131450|783225319266|589379963580|718504428378|076674570225|507241528517|048591011584|190560391635|638102146993|037604701340', '', 'g'), '(::|")[0-9]{12}[:"]|"A(RO|ID)A[0-9A-Z]{12,}"')
                  -- an account by its canonical id; that of a CloudFront identity is longer
                  OR regexp_like(s ->> 'Principal', '"CanonicalUser"\s*:[^}]*"[0-9a-f]{64}"')
                  -- everybody, as long as it is that account
                  OR regexp_like(s ->> 'Principal', '[*]')
                     AND regexp_like(s ->> 'Condition', '(?i)"(aws:Principal(Account|Arn)|s3:DataAccessPoint(Account|Arn))"[^]}]*[0-9]{12}')
                  -- everybody, as long as they come from where the caller is
                  OR regexp_like(s ->> 'Principal', '[*]')
                     AND regexp_like(s ->> 'Condition', '"(' || replace(sourceIPAddress, '.', '[.]') || ')(/(2[4-9]|3[0-2]))?"')
                     AND NOT ip_is_private(sourceIPAddress)
                     AND is_by_hand()
                     AND NOT is_infrastructure_tool()))
