-- title    = "Default network was made again"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1535", "attack.t1578"]
-- remedy   = "Ask the owner what it is for. Accounts that took their default networks away get them back by those who want to start instances at once, in Regions that nobody watches."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       responseElements -> 'vpc' ->> 'vpcId' AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateDefaultVpc', 'CreateDefaultSubnet')
  AND NOT is_infrastructure_tool()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
