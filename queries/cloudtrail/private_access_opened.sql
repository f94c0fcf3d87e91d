-- title           = "Guard of private applications was taken off: Verified Access, VPC Lattice or Verified Permissions"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.defense_evasion", "attack.persistence", "attack.t1562.001", "attack.t1562.007", "attack.t1562.008", "attack.t1133", "attack.t1556"]
-- remedy          = "Ask the owner of the principal. If nobody can say: put the policy, the kind of authorization or the log back, and look at who came in since."
-- false_positives = "Services of a network that ask for no authorization on purpose; leave them to deployments."
-- description     = "What asks each caller of an inner application who it is stands between networks that are trusted and those that are not. Told are policies that are switched off or permit everybody everything, authorization that is set to NONE, providers of trust that are added by hand, and logs of access that are stopped."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'serviceIdentifier', requestParameters ->> 'serviceNetworkIdentifier', requestParameters ->> 'resourceIdentifier', requestParameters ->> 'accessLogSubscriptionIdentifier', requestParameters ->> 'policyStoreId',
                requestParameters -> 'ModifyVerifiedAccessEndpointPolicyRequest' ->> 'VerifiedAccessEndpointId', requestParameters -> 'ModifyVerifiedAccessGroupPolicyRequest' ->> 'VerifiedAccessGroupId', requestParameters -> 'ModifyVerifiedAccessTrustProviderRequest' ->> 'VerifiedAccessTrustProviderId', requestParameters ->> 'listenerArn', account) AS resource,
       -- the page of a listener sends all of it, with every change
       CASE WHEN eventName = 'ModifyListener' AND sessionCredentialFromConsole THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN eventName = 'ModifyListener' THEN 'Load balancer does not check the certificates of its callers'
            WHEN eventName = 'ModifyVerifiedAccessTrustProvider' THEN 'Who vouches for the users of Verified Access was changed by hand'
            ELSE 'Guard of private applications was taken off: Verified Access, VPC Lattice or Verified Permissions' END AS title
FROM cloudtrail
WHERE eventSource IN ('ec2.amazonaws.com', 'vpc-lattice.amazonaws.com', 'verifiedpermissions.amazonaws.com', 'elasticloadbalancing.amazonaws.com')
  AND eventName IN ('ModifyVerifiedAccessEndpointPolicy', 'ModifyVerifiedAccessGroupPolicy', 'ModifyVerifiedAccessInstanceLoggingConfiguration', 'AttachVerifiedAccessTrustProvider',
                    'UpdateService', 'UpdateServiceNetwork', 'DeleteAuthPolicy', 'DeleteAccessLogSubscription', 'UpdatePolicyStore', 'CreatePolicy', 'UpdatePolicy',
                    'ModifyVerifiedAccessTrustProvider', 'ModifyListener')
  AND (eventName IN ('DeleteAuthPolicy', 'DeleteAccessLogSubscription')
       OR requestParameters ->> 'authType' = 'NONE'
       OR requestParameters -> 'validationSettings' ->> 'mode' = 'OFF'
       OR regexp_like(requestParameters, '"PolicyEnabled"\s*:\s*"?false|"Enabled"\s*:\s*"?false')
       -- Cedar: everybody, everything, and no condition behind it
       OR regexp_like(requestParameters, 'permit\s*[(]\s*principal\s*,\s*action\s*,\s*resource\s*[)]\s*(;|"|when\s*[{]\s*true\s*[}])')
       OR eventName = 'AttachVerifiedAccessTrustProvider'
          AND is_by_hand()
       OR (json_contains(requestParameters, 'ModifyVerifiedAccessTrustProviderRequest', 'OidcOptions')
           OR json_contains(requestParameters, 'ModifyVerifiedAccessTrustProviderRequest', 'NativeApplicationOidcOptions'))
          AND is_by_hand()
       -- controllers of clusters say that it is off of each listener that they make
       OR requestParameters -> 'mutualAuthentication' ->> 'mode' IN ('off', 'passthrough')
          AND is_by_hand())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
