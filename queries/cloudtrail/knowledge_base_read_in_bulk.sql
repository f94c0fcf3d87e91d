-- title           = "Person asked Bedrock knowledge bases or agents very many questions in a short time"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.collection", "attack.t1213", "attack.t1119"]
-- remedy          = "Ask the owner what they looked for; count the documents behind the knowledge base as read if they cannot say, and revoke the sessions."
-- false_positives = "Evaluations by developers."
SELECT userIdentity.arn AS who,
       count(*) AS questions,
       sample(sourceIPAddress) AS addresses,
       sample(coalesce(requestParameters ->> 'knowledgeBaseId', requestParameters ->> 'agentId')) AS resource
FROM cloudtrail
WHERE eventSource = 'bedrock.amazonaws.com'
  AND eventName IN ('Retrieve', 'RetrieveAndGenerate', 'RetrieveAndGenerateStream', 'InvokeAgent')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_by_hand()
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '10 minutes')
HAVING count(*) >= 50
