-- title           = "Container was defined or run with a command that intruders use"
-- severity        = "high"
-- tags            = ["attack.execution", "attack.t1610", "attack.t1059.004", "attack.credential_access", "attack.t1552.005", "attack.impact", "attack.t1496.001"]
-- remedy          = "Stop the task, take the definition away (DeregisterTaskDefinition), revoke the sessions of the task's role, and find out who may register such."
-- false_positives = "Images that unpack their settings in a shell: the same command that is deployed on a third day of a week is low, unless it asks for credentials, opens a shell or mines."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'containerDefinitions', requestParameters ->> 'overrides', requestParameters ->> 'containerProperties', requestParameters ->> 'containerOverrides') AS command,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'family', requestParameters ->> 'taskDefinition', requestParameters ->> 'jobDefinitionName', requestParameters ->> 'jobName') AS resource,
       CASE WHEN regexp_like(requestParameters, '169[.]254[.]1(69[.]254|70[.]2)|AWS_CONTAINER_CREDENTIALS_|/dev/tcp/|bash -i\b|\bnc(at)? -[a-z]*e') THEN 'high'
            WHEN days >= 3 AND NOT regexp_like(requestParameters, '\b(xmrig|minerd|cpuminer|ccminer|ethminer|nbminer|lolminer)\b|stratum[+](tcp|ssl)://') THEN 'low'
            ELSE 'medium' END AS severity
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days
      FROM cloudtrail
      WHERE eventSource IN ('ecs.amazonaws.com', 'batch.amazonaws.com')
        AND eventName IN ('RegisterTaskDefinition', 'RunTask', 'RegisterJobDefinition', 'SubmitJob')
        AND regexp_like(requestParameters, '169[.]254[.]170[.]2(/v2/credentials|[$])|169[.]254[.]169[.]254/latest/meta-data/iam|[$][{]?AWS_CONTAINER_CREDENTIALS_(RELATIVE|FULL)_URI|/dev/tcp/|bash -i\b|\bnc(at)? -[a-z]*e|(curl|wget|base64) [^"|]*[|] *(ba)?sh\b|\b(xmrig|minerd|cpuminer|ccminer|ethminer|nbminer|lolminer)\b|stratum[+](tcp|ssl)://')
      WINDOW week AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, coalesce(requestParameters ->> 'family', requestParameters ->> 'taskDefinition', requestParameters ->> 'jobDefinitionName', requestParameters ->> 'jobName'),
                                 regexp_like(requestParameters, '169[.]254[.]1(69[.]254|70[.]2)|AWS_CONTAINER_CREDENTIALS_|/dev/tcp/|bash -i\b|\bnc(at)? -[a-z]*e'), errorCode IS NULL,
                                 (regexp_match(requestParameters, '([^"]*(?:curl|wget|base64) [^"|]*[|] *(?:ba)?sh\b[^"]*)'))[1] -- the same command
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
