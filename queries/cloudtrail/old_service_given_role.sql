-- title           = "Service that hardly anybody uses any more was made to act with its role"
-- severity        = "medium"
-- tags            = ["attack.privilege_escalation", "attack.t1098.003", "attack.t1648"]
-- remedy          = "Ask who uses it. Data Pipeline and CodeStar run with wide roles and are known ways to gain rights: delete what nobody claims, and their roles."
SELECT eventTime,
       eventName,
       eventSource,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'pipelineId', requestParameters ->> 'projectId', requestParameters ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource IN ('datapipeline.amazonaws.com', 'codestar.amazonaws.com')
  AND eventName IN ('PutPipelineDefinition', 'ActivatePipeline', 'CreateProject', 'AssociateTeamMember')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
