-- title           = "One access key was used from many networks at a time"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.initial_access", "attack.defense_evasion", "attack.command_and_control", "attack.t1078.004", "attack.t1090.003"]
-- remedy          = "Disable the key; find out where it was kept (repository, build log, phone app) and what was done with it from the networks you do not know."
-- false_positives = "Keys in runners that a CI service hosts, or in a product at customers: give both roles in place of keys."
SELECT userIdentity.accessKeyId AS access_key,
       userIdentity.userName AS user_name,
       count(DISTINCT CASE WHEN strpos(sourceIPAddress, ':') > 0 THEN split_part(sourceIPAddress, ':', 1) || ':' || split_part(sourceIPAddress, ':', 2)
                           ELSE split_part(sourceIPAddress, '.', 1) || '.' || split_part(sourceIPAddress, '.', 2) END) AS networks,
       count(DISTINCT sourceIPAddress) AS different_addresses,
       sample(sourceIPAddress) AS addresses,
       sample(eventName) AS calls,
       sample(userAgent) AS user_agents,
       userIdentity.accessKeyId AS resource
FROM cloudtrail
WHERE userIdentity.type = 'IAMUser'
  AND eventSource IN ('sts.amazonaws.com', 'iam.amazonaws.com', 'ec2.amazonaws.com', 'ses.amazonaws.com', 'secretsmanager.amazonaws.com',
                      'organizations.amazonaws.com', 'bedrock.amazonaws.com', 'servicequotas.amazonaws.com', 'lambda.amazonaws.com')
  AND userIdentity.accessKeyId LIKE 'AKIA%'
  AND userIdentity.invokedBy IS NULL
  AND regexp_like(sourceIPAddress, '^[0-9a-fA-F:.]+$')
  AND NOT ip_is_private(sourceIPAddress)
GROUP BY userIdentity.accessKeyId, userIdentity.userName, account, hop(eventTime, INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING count(DISTINCT CASE WHEN strpos(sourceIPAddress, ':') > 0 THEN split_part(sourceIPAddress, ':', 1) || ':' || split_part(sourceIPAddress, ':', 2)
                           ELSE split_part(sourceIPAddress, '.', 1) || '.' || split_part(sourceIPAddress, '.', 2) END) >= 5
