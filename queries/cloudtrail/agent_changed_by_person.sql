-- title           = "Person changed what a Bedrock agent or Amazon Q application is told, may do or knows"
-- severity        = "medium"
-- tags            = ["attack.persistence", "attack.t1554", "attack.collection", "attack.t1213"]
-- remedy          = "Compare the agent with what is in your repository: its instruction, the functions it may call, and where its knowledge comes from. Whoever changes these speaks to all who use it."
-- false_positives = "Developers of the agent."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'agentId', requestParameters ->> 'knowledgeBaseId', requestParameters ->> 'flowIdentifier', requestParameters ->> 'promptIdentifier', requestParameters ->> 'applicationId') AS resource,
       CASE WHEN sessionCredentialFromConsole THEN 'low' ELSE 'medium' END AS severity
FROM cloudtrail
WHERE eventSource IN ('bedrock.amazonaws.com', 'qbusiness.amazonaws.com')
  AND eventName IN ('UpdateAgent', 'CreateAgentActionGroup', 'UpdateAgentActionGroup', 'AssociateAgentKnowledgeBase', 'UpdateKnowledgeBase', 'CreateDataSource', 'UpdateDataSource', 'AssociateAgentCollaborator', 'UpdateFlow', 'UpdatePrompt', 'CreatePlugin', 'UpdatePlugin', 'DeleteChatControlsConfiguration')
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
