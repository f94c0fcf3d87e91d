-- title           = "One session of a role did deeds of many kinds that programs and people seldom do together"
-- severity        = "medium"
-- confidence      = "medium"
-- dedupe          = "7d"
-- tags            = ["attack.initial_access", "attack.lateral_movement", "attack.execution", "attack.persistence", "attack.t1078.004", "attack.t1550.001", "attack.t1648", "attack.t1021.007"]
-- remedy          = "Ask the owner of the role who had the session. If nobody can say: revoke the role's sessions, and undo what it did, kind by kind."
-- false_positives = "An administrator who works so by hand, of whom one finding a week tells; the role that sets up a whole account, where it is given machines and users by the same script."
-- description     = "Kinds: to enter machines or run commands there, take secrets by the batch, set passwords of others, delete objects (which deployments seldom do), and to give roles to what runs code, change code that is there, lead names elsewhere, let addresses in. Told are four kinds within an hour, two of them of the first. Sessions that began with the token of a workload, and what AWS does for them, are left out. What the session is named or calls with does not count."
SELECT userIdentity.arn AS who,
       count(DISTINCT CASE WHEN regexp_like(eventName, '^(StartSession|SendCommand|SendSSHPublicKey|ExecuteCommand|GetPasswordData)$') THEN 'machines'
                           WHEN eventName = 'BatchGetSecretValue' THEN 'secrets'
                           WHEN regexp_like(eventName, '(UserPassword|LoginProfile)$') THEN 'passwords'
                           WHEN regexp_like(eventName, '^DeleteObjects?$') THEN 'objects'
                           WHEN regexp_like(eventName, '^(AuthorizeSecurityGroupIngress|CreateNetworkAclEntry)$') THEN 'addresses'
                           WHEN eventName = 'ChangeResourceRecordSets' THEN 'names'
                           WHEN regexp_like(eventName, '^(UpdateFunctionCode.*|CreateLaunchTemplateVersion|ModifyInstanceAttribute)$') THEN 'code'
                           ELSE 'roles' END) AS kinds,
       sample(eventName) AS calls,
       sample(sourceIPAddress) AS addresses,
       sample(userAgent) AS user_agents,
       sample(userIdentity.sessionContext.sessionIssuer.arn) AS resource
FROM cloudtrail
WHERE regexp_like(eventName, '^(StartSession|SendCommand|SendSSHPublicKey|ExecuteCommand|GetPasswordData|BatchGetSecretValue|AdminSetUserPassword|ResetUserPassword|UpdateLoginProfile|CreateLoginProfile|DeleteObjects?|AuthorizeSecurityGroupIngress|CreateNetworkAclEntry|ChangeResourceRecordSets|UpdateFunctionCode.*|CreateLaunchTemplateVersion|ModifyInstanceAttribute|CreateFunction2015.*|CreateStateMachine|RegisterTaskDefinition|CreateStack|RunInstances)$')
  AND userIdentity.type = 'AssumedRole'
  AND userIdentity.sessionContext.webIdFederationData.federatedProvider IS NULL
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY account, userIdentity.arn, hop(eventTime, INTERVAL '30 minutes', INTERVAL '1 hour')
HAVING count(DISTINCT CASE WHEN regexp_like(eventName, '^(StartSession|SendCommand|SendSSHPublicKey|ExecuteCommand|GetPasswordData)$') THEN 'machines'
                           WHEN eventName = 'BatchGetSecretValue' THEN 'secrets'
                           WHEN regexp_like(eventName, '(UserPassword|LoginProfile)$') THEN 'passwords'
                           WHEN regexp_like(eventName, '^DeleteObjects?$') THEN 'objects'
                           WHEN regexp_like(eventName, '^(AuthorizeSecurityGroupIngress|CreateNetworkAclEntry)$') THEN 'addresses'
                           WHEN eventName = 'ChangeResourceRecordSets' THEN 'names'
                           WHEN regexp_like(eventName, '^(UpdateFunctionCode.*|CreateLaunchTemplateVersion|ModifyInstanceAttribute)$') THEN 'code'
                           ELSE 'roles' END) >= 4
   AND count(DISTINCT CASE WHEN regexp_like(eventName, '^(StartSession|SendCommand|SendSSHPublicKey|ExecuteCommand|GetPasswordData)$') THEN 'machines'
                           WHEN eventName = 'BatchGetSecretValue' THEN 'secrets'
                           WHEN regexp_like(eventName, '(UserPassword|LoginProfile)$') THEN 'passwords'
                           WHEN regexp_like(eventName, '^DeleteObjects?$') THEN 'objects' END) >= 2
