-- title           = "Guard of the account against public or unknown things was turned off"
-- severity        = "medium"
-- key             = ["account", "userIdentity.arn", "eventName"]
-- tags            = ["attack.defense_evasion", "attack.t1562.001", "attack.t1562.007"]
-- remedy          = "Turn the guard on again, and look at what was opened since."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'resourceArn', requestParameters ->> 'functionName', requestParameters ->> 'settingId', account) AS resource,
       CASE WHEN eventName IN ('ModifyVpcBlockPublicAccessOptions', 'CreateVpcBlockPublicAccessExclusion') THEN 'Block on traffic between networks and the internet was taken off'
            WHEN eventName = 'DisableAllowedImagesSettings' THEN 'Images of any account may be launched again'
            WHEN eventName = 'ModifyInstanceMetadataDefaults' THEN 'New instances may hand out credentials without a session token'
            WHEN eventName = 'UpdateServiceSetting' THEN 'Documents of Systems Manager may be made public again'
            WHEN eventName = 'PutPublicAccessBlockConfig' THEN 'Functions may be made public again'
            WHEN eventName = 'PutBlockPublicAccessConfiguration' THEN 'EMR clusters may be open to the internet again'
            WHEN eventName IN ('DeleteFunctionCodeSigningConfig', 'DeleteCodeSigningConfig20200630', 'UpdateCodeSigningConfig20200630') THEN 'Functions may run code that is not signed'
            ELSE 'Hook that checks what stacks make was taken off' END AS title
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'ssm.amazonaws.com', 'lambda.amazonaws.com', 'elasticmapreduce.amazonaws.com', 'cloudformation.amazonaws.com')
  AND eventName IN ('ModifyVpcBlockPublicAccessOptions', 'CreateVpcBlockPublicAccessExclusion', 'DisableAllowedImagesSettings', 'ModifyInstanceMetadataDefaults', 'UpdateServiceSetting', 'PutPublicAccessBlockConfig',
                      'PutBlockPublicAccessConfiguration', 'DeleteFunctionCodeSigningConfig', 'DeleteCodeSigningConfig20200630', 'DeactivateType', 'UpdateCodeSigningConfig20200630')
  AND (eventName IN ('CreateVpcBlockPublicAccessExclusion', 'DisableAllowedImagesSettings', 'DeleteFunctionCodeSigningConfig', 'DeleteCodeSigningConfig20200630')
       OR regexp_like(requestParameters, '"InternetGatewayBlockMode"\s*:\s*"off"|"HttpTokens"\s*:\s*"optional"|"(blockPublicPolicy|restrictPublicResource|blockPublicSecurityGroupRules)"\s*:\s*false')
       OR requestParameters -> 'codeSigningPolicies' ->> 'untrustedArtifactOnDeployment' = 'Warn'
       OR requestParameters ->> 'type' = 'HOOK'
       -- the guard of EMR stays on, and lets every port through
       OR array_any_match(json_get_array(requestParameters, 'blockPublicAccessConfiguration', 'permittedPublicSecurityGroupRuleRanges'),
                          r -> coalesce(json_get_int(r, 'maxRange'), json_get_int(r, 'minRange')) - json_get_int(r, 'minRange') >= 1000)
       OR requestParameters ->> 'settingId' LIKE '%/ssm/documents/console/public-sharing-permission'
          AND requestParameters ->> 'settingValue' = 'Enable')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
