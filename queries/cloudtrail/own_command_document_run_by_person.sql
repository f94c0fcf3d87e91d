-- title           = "Person ran a command or automation document of the account's own"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.execution", "attack.lateral_movement", "attack.t1651"]
-- remedy          = "Read the document and the output of the command (GetCommandInvocation); if the person cannot explain it, isolate the instances."
-- false_positives = "Operators who work with documents of their own."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'instanceIds', requestParameters ->> 'targets') AS instances,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'documentName' AS resource,
       -- command_document_of_other_account_run tells it
       CASE WHEN regexp_like(replace(requestParameters ->> 'documentName', account, ''), ':[0-9]{12}:document/') THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN eventName = 'StartChangeRequestExecution' THEN 'Person started a change of Change Manager that nobody else approves'
            ELSE 'Person ran a command or automation document of the account''s own' END AS title
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName IN ('SendCommand', 'StartAutomationExecution', 'StartChangeRequestExecution')
  -- names that nobody else may begin one with
  AND (eventName <> 'StartChangeRequestExecution' AND NOT regexp_like(requestParameters ->> 'documentName', '(^|/)(AWS|Amazon)')
       -- what runs is what the request brings along
       OR requestParameters ->> 'autoApprove' = 'true')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
