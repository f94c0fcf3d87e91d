-- title           = "Credentials that a service hands to its workers, or samples of sensitive data, were fetched by hand"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.credential_access", "attack.t1528", "attack.t1552.005", "attack.privilege_escalation", "attack.t1078.004"]
-- remedy          = "Ask the person. What was fetched acts with the rights of the role of the pipeline, cluster, fleet or lake, and not with the person's: look at what that role did since, and end its sessions."
-- false_positives = "Developers of games who enter a machine of a fleet, and analysts who look at what Macie found in the console (low)."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'jobId', requestParameters -> 'actionTypeId' ->> 'provider', requestParameters ->> 'clusterId', requestParameters ->> 'fleetId', requestParameters ->> 'tableArn', requestParameters ->> 'findingId', account) AS resource,
       CASE WHEN sessionCredentialFromConsole THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN eventSource = 'codepipeline.amazonaws.com' THEN 'Credentials of a job of a pipeline were fetched by hand'
            WHEN eventSource = 'elasticmapreduce.amazonaws.com' THEN 'Credentials of an EMR cluster were fetched by hand'
            WHEN eventSource = 'gamelift.amazonaws.com' THEN 'Credentials of a fleet of GameLift were fetched by hand'
            WHEN eventSource = 'macie2.amazonaws.com' THEN 'Samples of sensitive data that Macie found were fetched by hand'
            ELSE 'Credentials for the data of Lake Formation were fetched by hand' END AS title
FROM cloudtrail
WHERE eventSource IN ('codepipeline.amazonaws.com', 'elasticmapreduce.amazonaws.com', 'gamelift.amazonaws.com', 'lakeformation.amazonaws.com', 'macie2.amazonaws.com')
  AND eventName IN ('GetJobDetails', 'GetThirdPartyJobDetails', 'PollForJobs', 'PollForThirdPartyJobs', 'GetClusterSessionCredentials', 'GetComputeAccess', 'GetInstanceAccess',
                    'GetTemporaryGlueTableCredentials', 'GetTemporaryGluePartitionCredentials', 'GetTemporaryDataLocationCredentials', 'GetSensitiveDataOccurrences')
  -- workers of one's own ask with a library, often with the key of a user
  AND (eventSource <> 'codepipeline.amazonaws.com'
       OR NOT regexp_like(coalesce(userAgent, ''), '^\[?aws-sdk-'))
  -- the notebooks of EMR Studio ask for whoever opens them
  AND NOT (eventSource = 'elasticmapreduce.amazonaws.com' AND sessionCredentialFromConsole IS TRUE)
  AND is_by_hand_or_script()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
