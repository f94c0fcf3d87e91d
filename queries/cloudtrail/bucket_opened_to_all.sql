-- title           = "S3 bucket was opened to everybody"
-- severity        = "high"
-- tags            = ["attack.exfiltration", "attack.collection", "attack.t1537", "attack.t1530", "cis.4.8"]
-- remedy          = "Put the earlier policy back or turn on the bucket's public access block; then read the data events or access logs for who has read it."
-- false_positives = "Static web sites, and log buckets shared with load balancers, whose policies name accounts of AWS; medium where whoever opens the bucket made it within the day, in us-east-1 in the console, or a pipeline opens it."
SELECT eventTime,
       eventName,
       requestParameters ->> 'bucketPolicy' AS policy,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       -- what was made today holds nothing yet, unless somebody brings it there; a pipeline that makes a web site
       CASE WHEN made = buckets THEN 'medium'
            WHEN (userIdentity.invokedBy = 'cloudformation.amazonaws.com'
                  OR NOT is_person() AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                     AND is_infrastructure_tool()) THEN 'medium' ELSE 'high' END AS severity
FROM (SELECT *,
             count(DISTINCT requestParameters ->> 'bucketName') OVER day AS buckets,
             -- in us-east-1 whoever has a bucket may make it again; the console makes new ones alone
             count(DISTINCT CASE WHEN eventName = 'CreateBucket' AND (awsRegion <> 'us-east-1' OR sessionCredentialFromConsole IS TRUE) THEN requestParameters ->> 'bucketName' END) OVER day AS made,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || (CASE WHEN eventName <> 'CreateBucket' THEN coalesce(resources[1].arn, concat('arn:aws:s3:::', requestParameters ->> 'bucketName')) END)) OVER day AS latest
      FROM cloudtrail
      WHERE eventSource = 's3.amazonaws.com'
        AND errorCode IS NULL
        AND (eventName = 'CreateBucket'
             OR eventName = 'PutBucketPolicy'
                AND array_any_match(
                      coalesce(json_get_array(requestParameters ->> 'bucketPolicy', 'Statement'),
                               make_array(json_get_json(requestParameters ->> 'bucketPolicy', 'Statement'))),
                      s -> s ->> 'Effect' = 'Allow'
                           AND (regexp_like(s ->> 'Principal', '^[*]$|"(AWS|[*])"\s*:\s*(\[[^\]]*)?"[*]"') OR json_contains(s, 'NotPrincipal'))
                           -- less conditions that hold for everybody: any value, half the internet, what holds as well where nothing is said
                           AND (NOT regexp_like(regexp_replace(coalesce(s ->> 'Condition', ''), '(?i)"(ForAllValues:[a-z]+|[a-z:]*IfExists|Null)"\s*:\s*[{][^{}]*[}]|"aws:PrincipalIsAWSService"\s*:\s*"?false|"aws:PrincipalType"|"aws:(source|principal|userid)[a-z]*"\s*:\s*(\[[^\]]*)?"([*?]+|o-[*]|arn:[^":]*:(iam|sts)::[*]:[^"]*|[0-9.]+/[0-7]|[0-9a-f]*::/[0-3])"', '', 'g'), '(?i)aws:(Source|Principal|userid|username)|kms:CallerAccount|s3:DataAccessPoint(Account|Arn)')
                                OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like|IpAddress)|"(0\.0\.0\.0|::)/0"'))))
      WINDOW day AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, userIdentity.invokedBy, is_person(), is_infrastructure_tool()
                     ORDER BY eventTime RANGE BETWEEN INTERVAL '24 hours' PRECEDING AND CURRENT ROW))
WHERE eventName <> 'CreateBucket'
