-- title           = "Person made changes at hours at which they and their account hardly ever do"
-- severity        = "low"
-- tags            = ["attack.initial_access", "attack.persistence", "attack.t1078.004"]
-- remedy          = "Ask whether it was they; where nobody knows of it, end their sessions and deactivate their keys."
-- false_positives = "Being on call, and travel to another time zone."
SELECT coalesce(userIdentity.arn, userIdentity.principalId) AS actor,
       date_part('hour', eventTime) - date_part('hour', eventTime) % 3 AS from_hour,
       date_part('dow', eventTime) IN (0, 6) AS at_a_weekend,
       count(*) AS changes
FROM cloudtrail
WHERE errorCode IS NULL
  AND NOT readOnly
  AND userIdentity.invokedBy IS NULL
  AND (userIdentity.type = 'IAMUser' AND sessionCredentialFromConsole
       OR userIdentity.sessionContext.sessionIssuer.userName LIKE 'AWSReservedSSO\_%'
       OR eventName = 'ConsoleLogin' AND json_get_str(responseElements, 'ConsoleLogin') = 'Success')
GROUP BY account, coalesce(userIdentity.arn, userIdentity.principalId),
         date_part('hour', eventTime) - date_part('hour', eventTime) % 3, date_part('dow', eventTime) IN (0, 6),
         tumble(eventTime, INTERVAL '1 hour')
HAVING rare(date_part('hour', eventTime) - date_part('hour', eventTime) % 3, 0.2)
