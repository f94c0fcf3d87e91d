-- title           = "Command document was run that the account had not run for a month"
-- severity        = "low"
-- tags            = ["attack.execution", "attack.t1651"]
-- remedy          = "Read the document and ask who sent it. If nobody did: isolate the instances and look at what it ran."
-- false_positives = "A new patch or maintenance document."
SELECT account,
       requestParameters ->> 'documentName' AS resource,
       sample(coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn)) AS principals,
       count(*) AS times
FROM cloudtrail
WHERE eventSource = 'ssm.amazonaws.com'
  AND eventName IN ('SendCommand', 'StartAutomationExecution')
  AND errorCode IS NULL
  AND requestParameters ->> 'documentName' IS NOT NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY account, requestParameters ->> 'documentName', tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(requestParameters ->> 'documentName', INTERVAL '30 days')
