-- title           = "Build project, pipeline or recipe of images was made or changed by a person, or credentials for a source set by hand"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.execution", "attack.t1648", "attack.t1554", "attack.t1543"]
-- remedy          = "Compare the project's source, build specification and role with the reviewed ones; delete a webhook that nobody claims. Who owns the source runs code with the project's role."
-- false_positives = "Developers who set up a build by hand."
SELECT eventTime,
       eventName,
       requestParameters -> 'source' ->> 'location' AS source,
       requestParameters ->> 'filterGroups' AS webhook,
       -- what its builds do is joined with who changed it
       coalesce(responseElements -> 'project' ->> 'serviceRole', requestParameters ->> 'serviceRole', requestParameters -> 'pipeline' ->> 'roleArn') AS given_role,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'name', requestParameters -> 'pipeline' ->> 'name', requestParameters -> 'webhook' ->> 'targetPipeline', requestParameters ->> 'projectName', requestParameters ->> 'projectArn', requestParameters ->> 'pipelineName', requestParameters ->> 'id', account) AS resource
FROM cloudtrail
WHERE eventSource IN ('codebuild.amazonaws.com', 'codepipeline.amazonaws.com', 'imagebuilder.amazonaws.com')
  AND eventName IN ('CreateProject', 'UpdateProject', 'CreateWebhook', 'UpdateWebhook', 'UpdateProjectVisibility', 'ImportSourceCredentials', 'CreatePipeline', 'UpdatePipeline', 'PutWebhook',
                    'CreateImagePipeline', 'UpdateImagePipeline', 'CreateComponent', 'CreateInfrastructureConfiguration', 'UpdateInfrastructureConfiguration')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (eventName = 'ImportSourceCredentials'
       OR requestParameters -> 'webhook' ->> 'authentication' = 'UNAUTHENTICATED'
       OR is_by_hand())
