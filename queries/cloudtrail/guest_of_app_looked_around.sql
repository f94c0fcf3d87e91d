-- title           = "Guest of an app looked around in the account"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.initial_access", "attack.discovery", "attack.t1078.004", "attack.t1526", "attack.t1580"]
-- remedy          = "See what the role of the identity pool allows, and take away all that the app does not need; turn off guests (AllowUnauthenticatedIdentities) if it needs none. Look at what the address read since."
-- false_positives = "An app that shows its users what is in the account."
-- description     = "An identity pool of Cognito gives credentials to whoever knows its id, which stands in the code of the web site. The app itself calls what it is made for; who took its id tries one service after another, or asks what there is."
SELECT userIdentity.arn AS who,
       count(DISTINCT eventSource) AS services,
       sample(eventName) AS calls,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       sample(userIdentity.sessionContext.sessionIssuer.arn) AS resource
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND (userIdentity.principalId LIKE '%:CognitoIdentityCredentials'
       OR userIdentity.sessionContext.webIdFederationData.federatedProvider = 'cognito-identity.amazonaws.com')
  AND userIdentity.invokedBy IS NULL
  AND (regexp_like(eventName, '^(GetCallerIdentity|GetAccount.*|List(Buckets|Tables|Functions.*|Users|Roles|Queues|Topics|Secrets|Keys|Streams|Clusters|Identities|FoundationModels|StateMachines)|Describe(Instances|DBInstances|Parameters|LogGroups|Trails|SecurityGroups|Repositories|Snapshots|Volumes))$')
       OR regexp_like(errorCode, '(AccessDenied|UnauthorizedOperation|AuthorizationError)'))
GROUP BY account, userIdentity.arn, sourceIPAddress, hop(eventTime, INTERVAL '15 minutes', INTERVAL '30 minutes')
HAVING count(DISTINCT eventSource) >= 3
