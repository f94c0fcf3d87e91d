-- title           = "Policy was written with letters or digits in escapes, so that it does not read as what it says"
-- severity        = "high"
-- confidence      = "high"
-- tags            = ["attack.defense_evasion", "attack.persistence", "attack.t1027", "attack.t1098"]
-- remedy          = "Decode the policy and read whom it lets do what; put the earlier one back, and end the sessions and keys of who wrote it."
-- false_positives = "None known: libraries escape quotes, angle brackets and what is not ASCII, which is left out."
-- description     = "JSON means the same with \\u002a in place of a star and \\u0039 in place of a nine. Nothing writes so but who hides an account or a star from whoever searches for it, rules among them."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(resources[1].arn, requestParameters ->> 'policyArn', requestParameters ->> 'roleName', requestParameters ->> 'userName', requestParameters ->> 'groupName', requestParameters ->> 'policyName', requestParameters ->> 'keyId', requestParameters ->> 'topicArn', requestParameters ->> 'queueUrl', requestParameters ->> 'resourceArn', requestParameters ->> 'secretId', requestParameters ->> 'repositoryName', requestParameters ->> 'name', account) AS resource
FROM cloudtrail
WHERE eventName IN ('CreatePolicy', 'CreatePolicyVersion', 'PutRolePolicy', 'PutUserPolicy', 'PutGroupPolicy',
                    'CreateRole', 'UpdateAssumeRolePolicy', 'PutInlinePolicyToPermissionSet', 'UpdatePolicy',
                    'PutKeyPolicy', 'CreateKey', 'ReplicateKey', 'SetTopicAttributes', 'CreateTopic',
                    'SetQueueAttributes', 'CreateQueue', 'PutResourcePolicy', 'PutPermission', 'SetRepositoryPolicy',
                    'PutRegistryPolicy', 'PutBackupVaultAccessPolicy', 'SetVaultAccessPolicy', 'PutFileSystemPolicy',
                    'CreateTable', 'PutTableBucketPolicy', 'PutTablePolicy', 'PutClusterPolicy',
                    'PutAccessPointPolicy', 'PutAuthPolicy', 'PutSinkPolicy', 'CreateDomain', 'UpdateDomainConfig',
                    'CreateVpcEndpoint', 'ModifyVpcEndpoint', 'PutDomainPermissionsPolicy',
                    'PutRepositoryPermissionsPolicy')
  -- a star, colon, dash, slash, question mark, digit or letter: a text within the text, so its escapes are escaped
  AND regexp_like(requestParameters, '(?i)[\\]{2}u00(2[adf]|3[0-9af]|[46][1-9a-f]|[57][0-9a])')
  AND errorCode IS NULL
