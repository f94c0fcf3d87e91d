-- title           = "Long-term access key was used from a network that it had not been used from for a month"
-- severity        = "low"
-- tags            = ["attack.initial_access", "attack.t1078.004"]
-- remedy          = "Ask the owner of the key. If it was not them: deactivate the key, then look at what it called from there."
-- false_positives = "People who travel or work from home; a program that was moved."
SELECT userIdentity.accessKeyId AS access_key,
       regexp_replace(sourceIPAddress, '\.[0-9]+\.[0-9]+$', '') AS network,
       userIdentity.arn AS actor,
       sample(sourceIPAddress) AS addresses,
       sample(eventName) AS calls,
       count(*) AS times
FROM cloudtrail
WHERE userIdentity.type = 'IAMUser'
  AND userIdentity.accessKeyId LIKE 'AKIA%'
  AND sourceIPAddress ~ '^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$'
  AND NOT ip_is_private(sourceIPAddress)
  AND userIdentity.invokedBy IS NULL
  -- who was given a signed link has the link, not the credentials
  AND additionalEventData ->> 'AuthenticationMethod' IS DISTINCT FROM 'QueryString'
GROUP BY userIdentity.accessKeyId, userIdentity.arn, regexp_replace(sourceIPAddress, '\.[0-9]+\.[0-9]+$', ''), tumble(eventTime, INTERVAL '1 day')
HAVING first_seen(regexp_replace(sourceIPAddress, '\.[0-9]+\.[0-9]+$', ''), INTERVAL '30 days')
