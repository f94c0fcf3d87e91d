-- title           = "Policy of a resource was written that names another account or everybody"
-- severity        = "medium"
-- tags            = ["attack.exfiltration", "attack.persistence", "attack.t1537"]
-- remedy          = "Find out whose account it is; put the earlier policy back if it is none of yours or of a vendor you know."
-- false_positives = "Accounts of your own organization that work together."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resourceARN', requestParameters ->> 'resourceArn', requestParameters ->> 'identity', requestParameters ->> 'name', requestParameters ->> 'destinationName', account) AS resource
FROM cloudtrail
WHERE eventSource IN ('kinesis.amazonaws.com', 'ssm.amazonaws.com', 'redshift-serverless.amazonaws.com', 'redshift.amazonaws.com', 'logs.amazonaws.com', 'ecr.amazonaws.com', 'ses.amazonaws.com', 's3.amazonaws.com', 'events.amazonaws.com')
  AND eventName IN ('PutResourcePolicy', 'PutDestinationPolicy', 'PutRegistryPolicy', 'PutIdentityPolicy', 'CreateEmailIdentityPolicy', 'PutAccessPointPolicy', 'PutMultiRegionAccessPointPolicy', 'PutPermission')
  AND regexp_like(regexp_replace(replace(replace(requestParameters, account, ''), '\"', '"'), '[{]([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*("Effect"\s*:\s*"Deny"|"[Cc]ondition"\s*:)([^{}]|[{]([^{}]|[{]([^{}]|[{][^{}]*[}])*[}])*[}])*[}]', '', 'g'),
                '(?i)"(AWS|Principal)"\s*:\s*(\[[^\]]*)?"(\*|(arn:[a-z-]+:(iam|sts)::)?[0-9]{12})')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
