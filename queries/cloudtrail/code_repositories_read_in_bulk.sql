-- title           = "Many code repositories were read by one principal"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.collection", "attack.t1213.003", "attack.credential_access", "attack.t1552.001"]
-- remedy          = "Ask whoever it was. If nobody claims it, take every secret that the repositories hold or ever held as known, and rotate it."
-- false_positives = "Somebody new who fetches all the code of a team; a copy of all repositories by hand."
SELECT userIdentity.arn AS who,
       count(DISTINCT coalesce(requestParameters ->> 'repositoryName', additionalEventData ->> 'repositoryName')) AS repositories,
       sample(coalesce(requestParameters ->> 'repositoryName', additionalEventData ->> 'repositoryName')) AS resource,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource = 'codecommit.amazonaws.com'
  AND eventName IN ('GitPull', 'GetFile', 'GetFolder', 'GetBlob')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND sessionCredentialFromConsole IS NOT TRUE
  -- no pipeline asks so much at a command line
  AND (is_person()
       OR userAgent LIKE 'aws-cli/%'
       OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT coalesce(requestParameters ->> 'repositoryName', additionalEventData ->> 'repositoryName')) >= 8
