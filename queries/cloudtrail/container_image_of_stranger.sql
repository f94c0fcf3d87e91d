-- title           = "ECS task was defined by hand with an image of a public registry"
-- severity        = "low"
-- tags            = ["attack.execution", "attack.t1204.003", "attack.t1610", "attack.impact", "attack.t1496.001", "attack.t1496.002"]
-- remedy          = "Find out who publishes the image; if nobody knows it, stop the tasks and services that use it, deregister the definition, and contain the principal. Copy images that you trust into a registry of your own."
-- false_positives = "Somebody who tries a tool out; an image of your own that is public."
-- description     = "Images of Docker Hub, ghcr.io, quay.io, public.ecr.aws and registry.gitlab.com, in a definition that a person or an instance registered, without a login to the registry; official images and those of well-known publishers are left out. Images named like a miner or a seller of bandwidth are found whoever defined them."
SELECT eventTime,
       json_texts(requestParameters, 'containerDefinitions', 'image') AS images,
       requestParameters ->> 'family' AS family,
       sourceIPAddress,
       userAgent,
       coalesce(responseElements -> 'taskDefinition' ->> 'taskDefinitionArn', requestParameters ->> 'family') AS resource,
       CASE WHEN array_any_match(json_texts(requestParameters, 'containerDefinitions', 'image'), v -> regexp_like(v, '(?i)xmrig|monero|cpuminer|ccminer|nbminer|lolminer|ethminer|nicehash|minergate|traffmonetizer|earnapp|honeygain|peer2profit|packetstream|proxyrack|repocket|bitping')) THEN 'high'
            WHEN sessionCredentialFromConsole IS NOT TRUE THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN array_any_match(json_texts(requestParameters, 'containerDefinitions', 'image'), v -> regexp_like(v, '(?i)xmrig|monero|cpuminer|ccminer|nbminer|lolminer|ethminer|nicehash|minergate|traffmonetizer|earnapp|honeygain|peer2profit|packetstream|proxyrack|repocket|bitping')) THEN 'ECS task was defined with the image of a miner or a seller of bandwidth'
            ELSE 'ECS task was defined by hand with an image of a public registry' END AS title
FROM cloudtrail
WHERE eventSource = 'ecs.amazonaws.com'
  AND eventName = 'RegisterTaskDefinition'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (array_any_match(json_texts(requestParameters, 'containerDefinitions', 'image'), v -> regexp_like(v, '(?i)xmrig|monero|cpuminer|ccminer|nbminer|lolminer|ethminer|nicehash|minergate|traffmonetizer|earnapp|honeygain|peer2profit|packetstream|proxyrack|repocket|bitping'))
       OR array_any_match(json_texts(requestParameters, 'containerDefinitions', 'image'), v -> regexp_like(v, '^((docker|index[.]docker)[.]io/)?[^./:@]+/[^/]+$|^(ghcr[.]io|quay[.]io|public[.]ecr[.]aws|registry[.]gitlab[.]com)/') AND NOT regexp_like(v, '^([a-z0-9.]+[.][a-z]+/)?(library|amazon|amazonlinux|aws|aws-[a-z-]+|ecs|eks|eks-distro|lambda|xray|cloudwatch-agent|docker|datadog|grafana|prom|prometheus|fluent|hashicorp|newrelic|otel|open-telemetry|envoyproxy|bitnami|elastic|nginxinc)/'))
          AND NOT json_exists(requestParameters, 'containerDefinitions', 'repositoryCredentials')
          AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL))
