-- title    = "Builds, dashboards, an application or a share were made open to everybody by a setting"
-- severity = "medium"
-- key      = ["account", "userIdentity.arn", "eventSource"]
-- tags     = ["attack.exfiltration", "attack.t1537", "attack.t1567", "attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Close it again, and see what could be read meanwhile: logs and artifacts of builds, dashboards, the code of an application."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'projectArn', requestParameters ->> 'resourceShareArn', requestParameters ->> 'applicationId', requestParameters ->> 'awsAccountId', requestParameters ->> 'name', requestParameters ->> 'Name', account) AS resource,
       CASE WHEN eventSource = 'codebuild.amazonaws.com' THEN 'Builds were made public'
            WHEN eventSource = 'quicksight.amazonaws.com' THEN 'Dashboards may be made public'
            WHEN eventSource = 'airflow.amazonaws.com' THEN 'Web server of Airflow was opened to the internet'
            WHEN eventSource = 'ram.amazonaws.com' THEN 'Resource share may admit accounts from outside the organization'
            WHEN eventSource = 'serverlessrepo.amazonaws.com' THEN 'Application was published to everybody'
            ELSE 'Amazon Q application that asks nobody who he is was made' END AS title
FROM cloudtrail
WHERE eventSource IN ('codebuild.amazonaws.com', 'quicksight.amazonaws.com', 'ram.amazonaws.com', 'serverlessrepo.amazonaws.com', 'qbusiness.amazonaws.com', 'airflow.amazonaws.com')
  AND eventName IN ('UpdateProjectVisibility', 'UpdatePublicSharingSettings', 'UpdateResourceShare', 'PutApplicationPolicy', 'CreateApplication', 'UpdateEnvironment')
  AND (requestParameters ->> 'projectVisibility' = 'PUBLIC_READ'
       OR requestParameters ->> 'publicSharingEnabled' = 'true'
       OR requestParameters ->> 'allowExternalPrincipals' = 'true'
       OR requestParameters ->> 'identityType' = 'ANONYMOUS'
       -- stacks send all that is written down, with every change
       OR coalesce(requestParameters ->> 'webserverAccessMode', requestParameters ->> 'WebserverAccessMode') = 'PUBLIC_ONLY'
          AND NOT is_infrastructure_tool()
          AND userIdentity.invokedBy IS NULL
       OR regexp_like(requestParameters ->> 'statements', '"principals"\s*:\s*\[\s*"[*]"'))
  AND errorCode IS NULL
