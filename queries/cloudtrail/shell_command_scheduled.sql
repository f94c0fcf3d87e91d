-- title           = "Shell command was scheduled on instances through Systems Manager"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.execution", "attack.t1651", "attack.t1053", "attack.t1059"]
-- remedy          = "Read the association or task and its parameters; it runs again and again as root. Delete it if nobody claims it, and look at the instances."
-- false_positives = "Configuration management by State Manager."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'targets', requestParameters ->> 'entries') AS targets,
       requestParameters ->> 'scheduleExpression' AS schedule,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'associationId', requestParameters ->> 'windowId', requestParameters ->> 'name', requestParameters -> 'entries' -> 0 ->> 'name') AS resource
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName IN ('CreateAssociation', 'CreateAssociationBatch', 'UpdateAssociation', 'RegisterTaskWithMaintenanceWindow', 'UpdateMaintenanceWindowTask')
  AND (regexp_like(coalesce(requestParameters ->> 'name', requestParameters ->> 'taskArn', requestParameters ->> 'entries',
                           -- a change need not name the document; the answer does
                           responseElements -> 'associationDescription' ->> 'name', responseElements ->> 'taskArn'), '(^|/|")AWS-Run(ShellScript|PowerShellScript|RemoteScript|Document)($|")')
       -- what installs or sets up runs what it is given too
       OR regexp_like(coalesce(requestParameters ->> 'name', requestParameters ->> 'taskArn', requestParameters ->> 'entries',
                           -- a change need not name the document; the answer does
                           responseElements -> 'associationDescription' ->> 'name', responseElements ->> 'taskArn'), '(^|/|")AWS-((Run|Apply)AnsiblePlaybooks?|RunSaltState|ApplyChefRecipes|ApplyDSCMofs|InstallApplication|InstallPowerShellModule|RunDockerAction)($|")')
          AND is_by_hand()
          AND NOT is_infrastructure_tool())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
