-- title           = "Credentials of an EC2 instance were used outside of AWS"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.lateral_movement", "attack.initial_access", "attack.t1552.005", "attack.t1078.004", "attack.t1550.001"]
-- remedy          = "Revoke the sessions of the role, demand IMDSv2 on the instance, look at what the credentials did from the address, and find the way in (often a server-side request forgery)."
-- false_positives = "Instances that reach AWS through an egress of your own network or through addresses brought to AWS: put those addresses in the suppress list."
-- key             = ["account", "userIdentity.principalId"]
SELECT eventTime, eventSource, eventName,
       userIdentity.sessionContext.sessionIssuer.userName AS role,
       split_part(userIdentity.principalId, ':', 2) AS instance,
       sourceIPAddress, userAgent,
       userIdentity.sessionContext.ec2RoleDelivery AS imds_version,
       split_part(userIdentity.principalId, ':', 2) AS resource,
       CASE WHEN regexp_like(userAgent, '(?i)stratus-red-team|pacu|kali|parrot|pentoo|cloudfox|darwin|macos|mac os x|^mozilla/') THEN 'high' ELSE 'medium' END AS severity,
       CASE WHEN regexp_like(userAgent, '(?i)stratus-red-team|pacu|kali|parrot|pentoo|cloudfox') THEN 'Credentials of an EC2 instance were used by an attack tool'
            WHEN regexp_like(userAgent, '(?i)darwin|macos|mac os x|^mozilla/') THEN 'Credentials of an EC2 instance were used on a workstation'
            ELSE 'Credentials of an EC2 instance were used outside of AWS' END AS title
FROM cloudtrail
WHERE userIdentity.type = 'AssumedRole'
  AND userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
  AND userIdentity.invokedBy IS NULL
  AND vpcEndpointId IS NULL
  AND regexp_like(userIdentity.principalId, ':i-[0-9A-Fa-f]{8,17}$')
  AND regexp_like(sourceIPAddress, '^[0-9a-fA-F:.]+$')
  AND NOT ip_is_private(sourceIPAddress)
  AND (regexp_like(userAgent, '(?i)stratus-red-team|pacu|kali|parrot|pentoo|cloudfox')
       -- the blocks that AWS holds most of, rather too wide than too narrow
       OR NOT cidr_match(sourceIPAddress,
            '3.0.0.0/8', '13.0.0.0/8', '15.0.0.0/8', '16.0.0.0/8', '18.0.0.0/8', '23.20.0.0/14', '34.192.0.0/10', '35.0.0.0/8',
            '40.160.0.0/11', '43.192.0.0/10', '44.192.0.0/10', '46.51.128.0/17', '46.137.0.0/16', '47.128.0.0/14', '50.16.0.0/14', '50.112.0.0/16',
            '51.16.0.0/12', '51.84.0.0/14', '51.92.0.0/14', '51.112.0.0/12', '52.0.0.0/8', '54.0.0.0/8', '56.0.0.0/8', '57.180.0.0/14', '63.32.0.0/14', '63.176.0.0/13',
            '64.252.0.0/16', '65.0.0.0/14', '67.202.0.0/18', '69.107.0.0/16', '71.128.0.0/12', '72.44.32.0/19', '75.2.0.0/16', '75.101.128.0/17', '76.223.0.0/16', '79.125.0.0/16',
            '96.0.0.0/12', '98.80.0.0/12', '98.128.0.0/12', '99.64.0.0/11', '99.144.0.0/12', '100.20.0.0/14', '100.24.0.0/13', '103.4.8.0/21', '107.20.0.0/14', '108.128.0.0/12', '122.248.192.0/18',
            '136.8.0.0/16', '140.179.0.0/16', '142.4.160.0/20', '150.222.0.0/16', '157.175.0.0/16', '160.1.0.0/16', '161.188.0.0/16', '174.129.0.0/16', '175.41.128.0/17',
            '176.32.64.0/18', '176.34.0.0/16', '177.71.128.0/17', '184.72.0.0/15', '184.169.128.0/17', '185.48.120.0/22', '203.83.220.0/22', '204.236.128.0/17', '205.251.192.0/18', '216.182.224.0/20',
            '2400:6500::/32', '2400:7fc0::/32', '2403:b300::/32', '2404:c2c0::/32', '2406:da00::/24', '2600:1f00::/24', '2600:9000::/28', '2605:9cc0::/32', '2620:107:3000::/44', '2804:800::/32', '2a01:578::/32', '2a05:d000::/24'))
  -- who was given a signed link has the link, not the credentials
  AND additionalEventData ->> 'AuthenticationMethod' IS DISTINCT FROM 'QueryString'
