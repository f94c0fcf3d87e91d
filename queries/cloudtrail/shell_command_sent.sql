-- title           = "Shell command was sent to instances through Systems Manager"
-- severity        = "medium"
-- tags            = ["attack.execution", "attack.t1651", "attack.t1059", "attack.lateral_movement"]
-- remedy          = "Read the command with GetCommandInvocation (CloudTrail hides it); if the principal cannot explain it, isolate the instances and revoke the sessions of their roles."
-- false_positives = "Configuration management that works through Run Command: low for the role of a program that does so on a third day of a week; maintenance windows (low)."
SELECT eventTime,
       requestParameters ->> 'documentName' AS document,
       coalesce(requestParameters ->> 'instanceIds', requestParameters ->> 'targets') AS instances,
       responseElements -> 'command' ->> 'commandId' AS command,
       errorCode,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN errorCode IS NOT NULL OR userIdentity.invokedBy IS NOT NULL OR days >= 3 AND NOT is_person() THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Shell command was sent to instances through Systems Manager'
            ELSE 'Somebody tried to send a shell command to instances through Systems Manager' END AS title
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(requestParameters -> 'instanceIds' ->> 0, requestParameters ->> 'targets', requestParameters ->> 'documentName')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource = 'ssm.amazonaws.com'
        AND eventName = 'SendCommand'
        AND (regexp_like(requestParameters ->> 'documentName', '(^|/)AWS-Run(ShellScript|PowerShellScript|RemoteScript|Document)$')
             -- what installs or sets up runs what it is given too
             OR regexp_like(requestParameters ->> 'documentName', '(^|/)AWS-((Run|Apply)AnsiblePlaybooks?|RunSaltState|ApplyChefRecipes|ApplyDSCMofs|InstallApplication|InstallPowerShellModule|RunDockerAction|ConfigureAWSPackage)$')
                AND is_by_hand()
                AND NOT is_infrastructure_tool())
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), is_person(), is_by_hand_or_script(), userIdentity.invokedBy IS NULL, errorCode IS NULL
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%'
