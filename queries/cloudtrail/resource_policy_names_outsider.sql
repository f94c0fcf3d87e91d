-- title           = "Policy of a resource was written that names another account or everybody"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventSource"]
-- tags            = ["attack.exfiltration", "attack.persistence", "attack.t1537"]
-- remedy          = "Find out whose account it is; put the earlier policy back if it is none of yours or of a vendor you know."
-- false_positives = "Accounts of your own organization that work together."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resourceARN', requestParameters ->> 'resourceArn', requestParameters ->> 'identity', requestParameters ->> 'name', requestParameters ->> 'destinationName', requestParameters ->> 'clusterArn', account) AS resource,
       'Policy of ' || CASE WHEN eventSource = 'kinesis.amazonaws.com' THEN 'a stream'
            WHEN eventSource = 'ssm.amazonaws.com' THEN 'a parameter'
            WHEN eventSource IN ('redshift-serverless.amazonaws.com', 'redshift.amazonaws.com') THEN 'a data warehouse'
            WHEN eventSource = 'logs.amazonaws.com' THEN 'a destination of logs'
            WHEN eventSource = 'ecr.amazonaws.com' THEN 'a container registry'
            WHEN eventSource = 'ses.amazonaws.com' THEN 'an identity that mail is sent from'
            WHEN eventName = 'PutAccessGrantsInstanceResourcePolicy' THEN 'the access grants of S3'
            WHEN eventSource = 's3.amazonaws.com' THEN 'an access point of S3'
            WHEN eventSource = 'bedrock-agentcore.amazonaws.com' THEN 'an agent or gateway'
            WHEN eventSource = 'events.amazonaws.com' THEN 'an event bus'
            WHEN eventSource = 'codeartifact.amazonaws.com' THEN 'a package repository'
            WHEN eventSource = 'mediastore.amazonaws.com' THEN 'a media container'
            WHEN eventSource = 'kafka.amazonaws.com' THEN 'a Kafka cluster'
            WHEN eventSource = 's3tables.amazonaws.com' THEN 'a table bucket'
            WHEN eventSource = 's3express.amazonaws.com' THEN 'a directory bucket'
            WHEN eventSource = 's3vectors.amazonaws.com' THEN 'a vector bucket'
            WHEN eventSource = 'acm-pca.amazonaws.com' THEN 'a private certificate authority'
            WHEN eventSource = 'sagemaker.amazonaws.com' THEN 'a group of models'
            WHEN eventSource = 'imagebuilder.amazonaws.com' THEN 'a machine image'
            WHEN eventSource = 'bedrock.amazonaws.com' THEN 'a model or guardrail'
            WHEN eventSource = 'vpc-lattice.amazonaws.com' THEN 'a VPC Lattice service'
            WHEN eventSource = 'dsql.amazonaws.com' THEN 'a DSQL cluster'
            WHEN eventSource = 'oam.amazonaws.com' THEN 'a sink of logs and metrics'
            WHEN eventSource = 'codebuild.amazonaws.com' THEN 'a build project'
            WHEN eventSource = 'cloudhsm.amazonaws.com' THEN 'a backup of HSMs'
            WHEN eventSource = 'signer.amazonaws.com' THEN 'a signing profile'
            WHEN eventSource = 'networkmanager.amazonaws.com' THEN 'a core network'
            WHEN eventSource = 's3-object-lambda.amazonaws.com' THEN 'an Object Lambda access point'
            ELSE 'a resource' END
       || ' was written that names another account or everybody' AS title,
       CASE WHEN userIdentity.invokedBy IS NULL THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource IN ('kinesis.amazonaws.com', 'ssm.amazonaws.com', 'redshift-serverless.amazonaws.com', 'redshift.amazonaws.com', 'logs.amazonaws.com', 'ecr.amazonaws.com', 'ses.amazonaws.com', 's3.amazonaws.com',
                    'events.amazonaws.com', 'codeartifact.amazonaws.com', 'mediastore.amazonaws.com', 'kafka.amazonaws.com', 's3tables.amazonaws.com', 's3express.amazonaws.com',
                    'acm-pca.amazonaws.com', 'sagemaker.amazonaws.com', 'imagebuilder.amazonaws.com', 'bedrock.amazonaws.com', 'vpc-lattice.amazonaws.com', 'dsql.amazonaws.com', 'oam.amazonaws.com', 's3vectors.amazonaws.com',
                    'rekognition.amazonaws.com', 'comprehend.amazonaws.com', 's3-object-lambda.amazonaws.com', 'ssm-contacts.amazonaws.com', 'signer.amazonaws.com',
                    'xray.amazonaws.com', 'cloudhsm.amazonaws.com', 'codebuild.amazonaws.com', 'aps.amazonaws.com', 'schemas.amazonaws.com', 'lex.amazonaws.com', 'refactor-spaces.amazonaws.com',
                    'bedrock-agentcore.amazonaws.com', 'networkmanager.amazonaws.com')
  AND eventName IN ('PutResourcePolicy', 'PutDestinationPolicy', 'PutRegistryPolicy', 'PutIdentityPolicy', 'CreateEmailIdentityPolicy', 'PutAccessPointPolicy', 'PutMultiRegionAccessPointPolicy', 'PutPermission',
                    'PutDomainPermissionsPolicy', 'PutRepositoryPermissionsPolicy', 'PutContainerPolicy', 'PutClusterPolicy', 'PutTableBucketPolicy', 'PutTablePolicy', 'PutPolicy', 'PutModelPackageGroupPolicy', 'PutImagePolicy', 'PutAuthPolicy', 'PutSinkPolicy', 'PutVectorBucketPolicy', 'PutDeliveryDestinationPolicy',
                    'PutBucketPolicy', 'PutProjectPolicy', 'PutAccessPointPolicyForObjectLambda', 'PutContactPolicy', 'AddProfilePermission', 'CreateResourcePolicy', 'UpdateResourcePolicy',
                    'PutAccessGrantsInstanceResourcePolicy')
  AND (array_any_match(
         coalesce(json_get_array(without_own(coalesce(nullif(requestParameters ->> 'policy', ''), requestParameters ->> 'resourcePolicy', requestParameters ->> 'policyText', requestParameters ->> 'policyDocument',
                                         requestParameters ->> 'accessPolicy', requestParameters ->> 'bucketPolicy', requestParameters -> 'details' ->> 'policy',
                                         requestParameters ->> 'Policy', requestParameters -> 'PutAccessPointPolicyRequest' ->> 'Policy', requestParameters -> 'PutAccessGrantsInstanceResourcePolicyRequest' ->> 'Policy', requestParameters -> 'PutMultiRegionAccessPointPolicyRequest' -> 'Details' ->> 'Policy', requestParameters ->> 'deliveryDestinationPolicy'), account), 'Statement'),
                  make_array(json_get_json(without_own(coalesce(nullif(requestParameters ->> 'policy', ''), requestParameters ->> 'resourcePolicy', requestParameters ->> 'policyText', requestParameters ->> 'policyDocument',
                                         requestParameters ->> 'accessPolicy', requestParameters ->> 'bucketPolicy', requestParameters -> 'details' ->> 'policy',
                                         requestParameters ->> 'Policy', requestParameters -> 'PutAccessPointPolicyRequest' ->> 'Policy', requestParameters -> 'PutAccessGrantsInstanceResourcePolicyRequest' ->> 'Policy', requestParameters -> 'PutMultiRegionAccessPointPolicyRequest' -> 'Details' ->> 'Policy', requestParameters ->> 'deliveryDestinationPolicy'), account), 'Statement'))),
         s -> s ->> 'Effect' = 'Allow'
              AND (regexp_like(s ->> 'Principal', '(^|::|")[0-9]{12}([:"]|$)|(^|")A(RO|ID)A[0-9A-Z]{12,}("|$)')
                   -- everybody, as long as it is that account
                   OR regexp_like(s ->> 'Principal', '[*]')
                      AND regexp_like(s ->> 'Condition', '(?i)"aws:Principal(Account|Arn)"[^]}]*[0-9]{12}')
                   OR (regexp_like(s ->> 'Principal', '^[*]$|"(AWS|[*])"\s*:\s*(\[[^\]]*)?"[*]"') OR json_contains(s, 'NotPrincipal'))
                      -- less conditions that hold for everybody: any value, half the internet, what holds as well where nothing is said
                      AND (NOT regexp_like(regexp_replace(coalesce(s ->> 'Condition', ''), '(?i)"(ForAllValues:[a-z]+|[a-z:]*IfExists|Null)"\s*:\s*[{][^{}]*[}]|"aws:PrincipalIsAWSService"\s*:\s*"?false|"aws:PrincipalType"|"aws:(source|principal|userid)[a-z]*"\s*:\s*(\[[^\]]*)?"([*?]+|o-[*]|arn:[^":]*:(iam|sts)::[*]:[^"]*|[0-9.]+/[0-7]|[0-9a-f]*::/[0-3])"', '', 'g'), '(?i)aws:(Source|Principal|userid)|s3:DataAccessPoint')
                           OR regexp_like(s ->> 'Condition', '(?i)"[a-z:]*Not(Equals|Like|IpAddress)|"(0\.0\.0\.0|::)/0"'))))
       -- the bus of events takes a principal in place of a policy
       OR regexp_like(without_own(requestParameters ->> 'principal', account), '^([*]|[0-9]{12})$')
          AND NOT json_contains(requestParameters, 'condition'))
  -- those of ordinary buckets have rules of their own
  AND (eventName <> 'PutBucketPolicy' OR eventSource = 's3express.amazonaws.com')
  AND errorCode IS NULL
  -- whoever may make a stack writes it so too (low: most stacks are ordinary)
  AND coalesce(userIdentity.invokedBy, 'cloudformation.amazonaws.com') = 'cloudformation.amazonaws.com'
