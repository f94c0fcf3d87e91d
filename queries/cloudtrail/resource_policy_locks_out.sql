-- title           = "Policy of a resource was written that shuts everybody out"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1531", "attack.t1490"]
-- remedy          = "Ask the owner of the resource. If nobody can say: take the policy off while somebody may (a queue is unlocked by sts:AssumeRoot with SQSUnlockQueuePolicy), and contain the writer."
-- false_positives = "Responders who stop the use of a resource."
-- description     = "Who wants a ransom, or time, denies everybody, or everybody else, what the data is for: to read a secret, restore a backup, or do anything at all with a queue, table, file system or repository. Policies that guard deny it under another condition, or deny that something is deleted. Those of buckets and keys have rules of their own."
SELECT eventTime,
       eventName,
       eventSource,
       coalesce(requestParameters ->> 'resourcePolicy', requestParameters ->> 'policyText', requestParameters -> 'attributes' ->> 'Policy', requestParameters ->> 'attributeValue', requestParameters ->> 'policy') AS policy,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'secretId', requestParameters ->> 'resourceArn', requestParameters ->> 'queueUrl', requestParameters ->> 'topicArn', requestParameters ->> 'backupVaultName', requestParameters ->> 'fileSystemId', requestParameters ->> 'repositoryName') AS resource,
       CASE WHEN eventSource = 'backup.amazonaws.com' THEN 'Policy of a backup vault was written that lets nobody restore'
            ELSE 'Policy of a resource was written that shuts everybody out' END AS title
FROM cloudtrail
WHERE eventSource IN ('secretsmanager.amazonaws.com', 'dynamodb.amazonaws.com', 'sqs.amazonaws.com', 'sns.amazonaws.com', 'backup.amazonaws.com', 'elasticfilesystem.amazonaws.com', 'ecr.amazonaws.com')
  AND eventName IN ('PutResourcePolicy', 'SetQueueAttributes', 'SetTopicAttributes', 'PutBackupVaultAccessPolicy', 'PutFileSystemPolicy', 'SetRepositoryPolicy')
  AND array_any_match(
        coalesce(json_get_array(coalesce(requestParameters ->> 'resourcePolicy', requestParameters ->> 'policyText', requestParameters -> 'attributes' ->> 'Policy', requestParameters ->> 'attributeValue', requestParameters ->> 'policy'), 'Statement'),
                 make_array(json_get_json(coalesce(requestParameters ->> 'resourcePolicy', requestParameters ->> 'policyText', requestParameters -> 'attributes' ->> 'Policy', requestParameters ->> 'attributeValue', requestParameters ->> 'policy'), 'Statement'))),
        s -> s ->> 'Effect' = 'Deny'
             AND (regexp_like(coalesce(s ->> 'Condition', ''), '^([{]\s*[}])?$')
                  -- all but the caller, who then asks for a ransom
                  OR strpos(s ->> 'Condition', coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn)) > 0
                     AND is_by_hand_or_script()
                     AND NOT is_infrastructure_tool())
             AND (json_contains(s, 'NotPrincipal')
                  OR regexp_like(s ->> 'Principal', '^[*]$|"AWS"\s*:\s*(\[\s*)?"[*]"'))
             -- all but one thing is nearly everything
             AND (json_contains(s, 'NotAction')
                  OR regexp_like(s ->> 'Action', '(?i)(^|")([*]|(secretsmanager|dynamodb|sqs|sns|backup|elasticfilesystem|ecr):[*]|backup:(startrestorejob|start[*]|copyfrombackupvault)|secretsmanager:get(secretvalue|[*]))("|$)')))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
