-- title           = "Definition of a state machine was changed"
-- severity        = "low"
-- confidence      = "medium"
-- tags            = ["attack.persistence", "attack.execution", "attack.t1648", "attack.t1554"]
-- remedy          = "Compare the definition with the reviewed one (ListStateMachineVersions, DescribeStateMachine): a new state runs with the role of the machine at the next execution. Put the reviewed one back if they differ."
-- false_positives = "Deployments by scripts or Terraform, and people at work in Workflow Studio."
SELECT coalesce(requestParameters ->> 'stateMachineArn', requestParameters ->> 'stateMachineAliasArn') AS resource,
       requestParameters ->> 'roleArn' AS role,
       requestParameters ->> 'publish' AS published,
       userAgent,
       -- states_machine_role_changed tells that its role was changed with it
       CASE WHEN is_by_hand() AND NOT json_contains(requestParameters, 'roleArn') THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'states.amazonaws.com'
  AND eventName IN ('UpdateStateMachine', 'UpdateStateMachineAlias')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (json_contains(requestParameters, 'definition')
       OR eventName = 'UpdateStateMachineAlias')
