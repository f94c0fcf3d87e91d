-- title           = "Build was started with another source, image or role than its project has"
-- severity        = "medium"
-- tags            = ["attack.execution", "attack.privilege_escalation", "attack.t1648", "attack.t1059", "attack.t1578"]
-- remedy          = "Read the log of the build, and ask who started it. Builds have the role of their project: look at what it did since, and rotate what it may read."
-- false_positives = "Pipelines that give a build specification by script."
SELECT eventTime,
       eventName,
       requestParameters ->> 'sourceLocationOverride' AS source,
       coalesce(requestParameters ->> 'serviceRoleOverride', responseElements -> 'build' ->> 'serviceRole', responseElements -> 'buildBatch' ->> 'serviceRole') AS given_role,
       requestParameters ->> 'buildspecOverride' AS buildspec,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'projectName', requestParameters ->> 'sandboxId', requestParameters ->> 'name') AS resource,
       CASE WHEN eventName IN ('StartSandboxConnection', 'StartCommandExecution') THEN 'Shell was opened, or a command run, with the role of a build project'
            WHEN eventName = 'StartPipelineExecution' THEN 'Pipeline was started by hand over another revision than its branch has'
            ELSE 'Build was started with another source, image or role than its project has' END AS title
FROM cloudtrail
WHERE eventSource IN ('codebuild.amazonaws.com', 'codepipeline.amazonaws.com')
  AND eventName IN ('StartBuild', 'StartBuildBatch', 'StartSandboxConnection', 'StartCommandExecution', 'StartPipelineExecution')
  AND (eventName IN ('StartSandboxConnection', 'StartCommandExecution')
       OR json_contains(requestParameters, 'sourceRevisions')
          AND is_by_hand()
       OR json_contains(requestParameters, 'sourceLocationOverride')
       OR json_contains(requestParameters, 'sourceTypeOverride')
       OR json_contains(requestParameters, 'serviceRoleOverride')
       OR json_contains(requestParameters, 'imageOverride')
       OR json_contains(requestParameters, 'buildspecOverride'))
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
