-- title           = "Function's code was changed by a principal that had changed none for a month"
-- severity        = "low"
-- tags            = ["attack.persistence", "attack.execution", "attack.t1648", "attack.t1554"]
-- remedy          = "Compare the code with what your pipeline deploys. If they differ: deploy it again, and revoke the sessions of the principal."
-- false_positives = "A new pipeline, or a person who helps out."
-- description     = "A person is told as medium by lambda_code_changed_by_person, and the role of a program that is known and never did so by program_did_new_kind_of_deed. What is left is a role that is new, as that of a new pipeline is."
SELECT account,
       coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) AS actor,
       sample(responseElements ->> 'functionArn') AS resource,
       sample(sourceIPAddress) AS addresses,
       count(*) AS times
FROM cloudtrail
WHERE eventSource = 'lambda.amazonaws.com'
  AND eventName LIKE 'UpdateFunctionCode%'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), INTERVAL '30 days')
