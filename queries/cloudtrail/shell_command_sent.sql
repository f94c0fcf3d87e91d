-- title           = "Shell command was sent to instances through Systems Manager"
-- severity        = "medium"
-- tags            = ["attack.execution", "attack.t1651", "attack.t1059", "attack.lateral_movement"]
-- remedy          = "Read the command with GetCommandInvocation (CloudTrail hides it); if the principal cannot explain it, isolate the instances and revoke the sessions of their roles."
-- false_positives = "Configuration management that works through Run Command; maintenance windows (low)."
SELECT eventTime,
       requestParameters ->> 'documentName' AS document,
       coalesce(requestParameters ->> 'instanceIds', requestParameters ->> 'targets') AS instances,
       responseElements -> 'command' ->> 'commandId' AS command,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'instanceIds' ->> 0, requestParameters ->> 'targets', requestParameters ->> 'documentName') AS resource,
       CASE WHEN errorCode IS NULL AND userIdentity.invokedBy IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Shell command was sent to instances through Systems Manager'
            ELSE 'Somebody tried to send a shell command to instances through Systems Manager' END AS title
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName = 'SendCommand'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND (regexp_like(requestParameters ->> 'documentName', '(^|/)AWS-Run(ShellScript|PowerShellScript|RemoteScript|Document)$')
       -- what installs or sets up runs what it is given too
       OR regexp_like(requestParameters ->> 'documentName', '(^|/)AWS-((Run|Apply)AnsiblePlaybooks?|RunSaltState|ApplyChefRecipes|ApplyDSCMofs|InstallApplication|InstallPowerShellModule|RunDockerAction|ConfigureAWSPackage)$')
          AND is_by_hand()
          AND NOT is_infrastructure_tool())
