-- title    = "Approval that a change or release needs was overridden or taken away"
-- severity = "medium"
-- tags     = ["attack.persistence", "attack.t1554", "attack.initial_access", "attack.t1195.002", "attack.defense_evasion", "attack.t1562.001"]
-- remedy   = "Read the change that went in without its review, and put the rule back."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'pullRequestId', requestParameters ->> 'repositoryName', requestParameters ->> 'approvalRuleTemplateName', requestParameters ->> 'pipelineName', requestParameters ->> 'arn', requestParameters ->> 'name', account) AS resource,
       CASE WHEN eventName = 'SendTaskSuccess' THEN 'Step of a state machine that waits for an answer was answered by hand'
            WHEN eventSource = 'mpa.amazonaws.com' THEN 'Team whose approval is asked for was changed or deleted'
            ELSE 'Approval that a change or release needs was overridden or taken away' END AS title
FROM cloudtrail
WHERE eventSource IN ('codecommit.amazonaws.com', 'codepipeline.amazonaws.com', 'states.amazonaws.com', 'mpa.amazonaws.com')
  AND eventName IN ('OverridePullRequestApprovalRules', 'DeletePullRequestApprovalRule', 'DisassociateApprovalRuleTemplateFromRepository', 'DeleteApprovalRuleTemplate', 'OverrideStageCondition', 'SendTaskSuccess', 'StartActiveApprovalTeamDeletion', 'UpdateApprovalTeam')
  -- a program answers for what it did
  AND (eventName <> 'SendTaskSuccess'
       OR is_by_hand())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
