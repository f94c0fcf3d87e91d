-- title           = "Person made changes at hours at which they and their account hardly ever do"
-- severity        = "low"
-- tags            = ["attack.initial_access", "attack.persistence", "attack.t1078.004"]
-- remedy          = "Ask whether it was they; where nobody knows of it, end their sessions and deactivate their keys."
-- false_positives = "Being on call, and travel to another time zone."
SELECT coalesce(userIdentity.arn, userIdentity.principalId) AS actor,
       tumble(eventTime, INTERVAL '1 hour') AS hour,
       count(*) AS changes
FROM cloudtrail
WHERE errorCode IS NULL
  AND NOT readOnly
  AND userIdentity.invokedBy IS NULL
  AND (userIdentity.type = 'IAMUser' AND sessionCredentialFromConsole
       OR userIdentity.sessionContext.sessionIssuer.userName LIKE 'AWSReservedSSO\_%'
       OR eventName = 'ConsoleLogin' AND json_get_str(responseElements, 'ConsoleLogin') = 'Success')
GROUP BY account, coalesce(userIdentity.arn, userIdentity.principalId), tumble(eventTime, INTERVAL '1 hour')
HAVING unusual_hour(0.2)
