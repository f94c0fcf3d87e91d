-- title           = "Credentials of a function, container or pod were used outside of AWS"
-- severity        = "medium"
-- confidence      = "medium"
-- key             = ["account", "coalesce(userIdentity.sessionContext.sessionIssuer.arn, requestParameters ->> 'roleArn')"]
-- tags            = ["attack.credential_access", "attack.lateral_movement", "attack.t1528", "attack.t1552.005", "attack.t1550.001", "attack.t1078.004"]
-- remedy          = "Find out whose address it is. If nobody can say: revoke the sessions of the role, replace what runs with it, and look for the flaw by which its token or credentials were read."
-- false_positives = "Containers that reach AWS through an egress of your own network or through addresses brought to AWS, and hybrid nodes of a cluster: put those addresses in the suppress list. A function that is tried out on a developer's machine."
-- description     = "Lambda and ECS name themselves in the user agent (exec-env), and the token of a pod names its cluster of EKS. All of them run within AWS: from elsewhere it is somebody who took a token or credentials, or who writes such a user agent to pass for a function."
SELECT eventTime, eventSource, eventName,
       userIdentity.arn AS who,
       sourceIPAddress, userAgent,
       coalesce(userIdentity.sessionContext.webIdFederationData.federatedProvider, userIdentity.identityProvider) AS cluster,
       coalesce(userIdentity.sessionContext.sessionIssuer.arn, requestParameters ->> 'roleArn') AS resource
FROM cloudtrail
WHERE userIdentity.type IN ('AssumedRole', 'WebIdentityUser')
  AND (userIdentity.sessionContext.webIdFederationData.federatedProvider LIKE '%:oidc-provider/oidc.eks.%'
       OR userIdentity.identityProvider LIKE '%:oidc-provider/oidc.eks.%'
       OR regexp_like(userAgent, 'exec-env/AWS_(Lambda_|ECS_FARGATE|ECS_EC2)')
          AND NOT is_person())
  AND userIdentity.invokedBy IS NULL
  AND vpcEndpointId IS NULL
  AND regexp_like(sourceIPAddress, '^[0-9a-fA-F:.]+$')
  AND NOT ip_is_private(sourceIPAddress)
  -- the blocks that AWS holds most of, rather too wide than too narrow
  AND NOT cidr_match(sourceIPAddress,
            '3.0.0.0/8', '13.0.0.0/8', '15.0.0.0/8', '16.0.0.0/8', '18.0.0.0/8', '23.20.0.0/14', '34.192.0.0/10', '35.0.0.0/8',
            '40.160.0.0/11', '43.192.0.0/10', '44.192.0.0/10', '46.51.128.0/17', '46.137.0.0/16', '47.128.0.0/14', '50.16.0.0/14', '50.112.0.0/16',
            '51.16.0.0/12', '51.84.0.0/14', '51.92.0.0/14', '51.112.0.0/12', '52.0.0.0/8', '54.0.0.0/8', '56.0.0.0/8', '57.180.0.0/14', '63.32.0.0/14', '63.176.0.0/13',
            '64.252.0.0/16', '65.0.0.0/14', '67.202.0.0/18', '69.107.0.0/16', '71.128.0.0/12', '72.44.32.0/19', '75.2.0.0/16', '75.101.128.0/17', '76.223.0.0/16', '79.125.0.0/16',
            '96.0.0.0/12', '98.80.0.0/12', '98.128.0.0/12', '99.64.0.0/11', '99.144.0.0/12', '100.20.0.0/14', '100.24.0.0/13', '103.4.8.0/21', '107.20.0.0/14', '108.128.0.0/12', '122.248.192.0/18',
            '136.8.0.0/16', '140.179.0.0/16', '142.4.160.0/20', '150.222.0.0/16', '157.175.0.0/16', '160.1.0.0/16', '161.188.0.0/16', '174.129.0.0/16', '175.41.128.0/17',
            '176.32.64.0/18', '176.34.0.0/16', '177.71.128.0/17', '184.72.0.0/15', '184.169.128.0/17', '185.48.120.0/22', '203.83.220.0/22', '204.236.128.0/17', '205.251.192.0/18', '216.182.224.0/20',
            '2400:6500::/32', '2400:7fc0::/32', '2403:b300::/32', '2404:c2c0::/32', '2406:da00::/24', '2600:1f00::/24', '2600:9000::/28', '2605:9cc0::/32', '2620:107:3000::/44', '2804:800::/32', '2a01:578::/32', '2a05:d000::/24')
  -- who was given a signed link has the link, not the credentials
  AND additionalEventData ->> 'AuthenticationMethod' IS DISTINCT FROM 'QueryString'
