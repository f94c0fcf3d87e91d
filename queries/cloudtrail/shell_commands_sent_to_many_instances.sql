-- title           = "Shell commands were sent to many instances by one principal"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.execution", "attack.lateral_movement", "attack.t1651", "attack.t1059"]
-- remedy          = "Read the commands with GetCommandInvocation (CloudTrail hides them); if the principal cannot explain them, isolate the instances and revoke the sessions of their roles."
-- false_positives = "An operator who patches by hand, one instance after the other; build servers on an instance, and operators in the console (medium)."
SELECT userIdentity.arn AS who,
       count(*) AS calls,
       count(DISTINCT coalesce(requestParameters ->> 'instanceIds', requestParameters ->> 'targets')) AS different_targets,
       max(json_length(requestParameters, 'instanceIds')) AS most_at_once,
       sample(requestParameters -> 'instanceIds' ->> 0) AS resource,
       sample(requestParameters ->> 'documentName') AS documents,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       -- build servers on an instance do so each day, and operators in the console who signed in through IAM Identity Center
       CASE WHEN count(*) FILTER (WHERE userIdentity.sessionContext.ec2RoleDelivery IS NULL
                                        AND NOT coalesce(sessionCredentialFromConsole AND userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%', false)) > 0 THEN 'high' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName = 'SendCommand'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND regexp_like(requestParameters ->> 'documentName', '(^|/)AWS-Run(ShellScript|PowerShellScript|RemoteScript|Document)$')
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT coalesce(requestParameters ->> 'instanceIds', requestParameters ->> 'targets')) >= 8
    OR max(json_length(requestParameters, 'instanceIds')) >= 20
